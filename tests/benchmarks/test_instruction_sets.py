"""INT8 beside FP32 by instruction set: what is hidden, what is measured, and what is said."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from edge.benchmarks.instruction_sets import __main__ as command
from edge.benchmarks.instruction_sets import levels
from edge.benchmarks.instruction_sets.levels import LEVELS, Level, Lowered
from edge.benchmarks.instruction_sets.measure import Measured, by_sequence, measure
from edge.calibrate.rendering.samples import Rendered

ONE_CONV = Path(__file__).parents[1] / "calibrate" / "one_conv.py"


@pytest.fixture
def sequences(tmp_path: Path) -> Path:
    """Two rendered scenes as labelled sequences on disk."""
    rendered = Rendered(6, (64, 64), seed=31, frames_per_scene=3)
    for number in range(6):
        scene = tmp_path / "data" / "sequences" / f"scene{number // 3}"
        for part in ("input", "groundtruth"):
            (scene / part).mkdir(parents=True, exist_ok=True)
        sample = rendered[number]
        cv2.imwrite(str(scene / "bg.png"), sample.bg)
        cv2.imwrite(str(scene / "input" / f"{number:06d}.png"), sample.fg_bg)
        cv2.imwrite(str(scene / "groundtruth" / f"{number:06d}.png"), (sample.mask == 1) * 255)
    return tmp_path / "data" / "sequences"


def test_the_levels_of_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(*words: str) -> list[str]:
        monkeypatch.setattr(levels, "flags", lambda: set(words))
        return [level.name for level in levels.present()]

    monkeypatch.setattr(levels.platform, "machine", lambda: "x86_64")
    assert seen("sse2", "avx") == []
    assert seen("avx2") == ["AVX2"]
    assert seen("avx2", "avx_vnni") == ["AVX2", "AVX-VNNI"]
    xeon = ("avx2", "avx512bw", "avx512_vnni", "amx_int8")
    assert seen(*xeon) == ["AVX2", "AVX512", "AVX512-VNNI", "AMX"]
    monkeypatch.setattr(levels.platform, "machine", lambda: "aarch64")
    assert seen(*xeon) == []


def test_each_level_hides_what_it_must() -> None:
    """By the words of /proc/cpuinfo that its kernels would look for."""

    def hidden(level: Level) -> set[str]:
        bits = {(r, b) for part in level.hidden for r, own in part.items() for b in own}
        names = {"avx512f": ("ebx", 16), "avx512_vnni": ("ecx", 11), "amx_int8": ("edx", 25),
                 "avx_vnni": ("eax1", 4), "avx512_bf16": ("eax1", 5)}  # fmt: skip
        return {name for name, bit in names.items() if bit in bits}

    by = {level.name: hidden(level) for level in LEVELS}
    everything = {"avx512f", "avx512_vnni", "amx_int8", "avx_vnni", "avx512_bf16"}
    assert by["AVX2"] == everything
    assert by["AVX-VNNI"] == everything - {"avx_vnni"}
    assert by["AVX512"] == {"avx512_vnni", "amx_int8", "avx_vnni"}
    assert by["AVX512-VNNI"] == {"amx_int8"}
    assert by["AMX"] == set()


def test_samples_are_spread_over_each_sequence() -> None:
    names = ["a"] * 5 + ["b"] * 2 + ["c"]
    assert by_sequence(names, 3) == [0, 2, 4, 5, 6, 7]


def test_what_a_row_says() -> None:
    found = Measured((2.0, 1.0), 1.9, {"a": (0.5, 0.5), "b": (0.7, 0.69)}, 4)
    assert found.worst == ("b", pytest.approx(0.01))
    assert command.row("AVX2", "openvino", "nano", found) == (
        "| AVX2 | openvino | `nano` | 2.00 | 1.00 | 1.90x | 0.6000 | 0.5950 | +0.0050"
        " | +0.0100 (b) |"
    )


def test_both_builds_are_scored_on_every_sequence(
    builds: Callable[[str, str], Path], sequences: Path
) -> None:
    pair = [builds("onnxruntime", precision) for precision in ("fp32", "int8")]
    found = measure(pair, str(sequences), 2)
    assert found.samples == 4
    assert set(found.ious) == {"scene0", "scene1"}
    assert all(ms > 0 for ms in (*found.ms, found.ratio))
    same = measure([pair[0], pair[0]], str(sequences), 2)
    assert same.means[0] == same.means[1] == found.means[0]
    assert same.worst[1] == 0


def test_a_folder_without_sequences_and_a_machine_without_levels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "present", list)
    assert command.main([str(tmp_path)]) == 1
    assert "has none of AVX2, AVX-VNNI, AVX512" in capsys.readouterr().err


@pytest.mark.slow
def test_onnx_runtime_computes_our_weights_right_without_dot_products(tmp_path: Path) -> None:
    """In its own kernels for AVX2, where weights of +-127 saturate."""
    if not levels.present() or not all(map(shutil.which, ("cc", "objdump"))):
        pytest.skip("needs an x86 CPU with AVX2, a C compiler and objdump")
    lowered = Lowered(tmp_path, ["onnxruntime"])

    def error(level: Level, kind: str) -> float:
        words = [sys.executable, str(ONE_CONV), "onnxruntime", kind]
        environment = lowered.environment(level)
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
        return float(done.stdout)

    assert error(LEVELS[0], "ours") < 0.03
    assert error(LEVELS[0], "full") > 0.2
    if "AVX-VNNI" in [level.name for level in levels.present()]:
        assert error(LEVELS[1], "full") < 0.03
