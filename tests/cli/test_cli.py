"""The command line as a user types it: JSON, exit codes, one sentence for every wrong thing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge.benchmarks.measuring.bench import Outcome
from edge.errors import EXTRAS, missing

from ..command import edge

QUICK = ["--samples", "rendered:4", "--calib-samples", "4", "--imgsz", "64"]


def process(*words: object, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "NO_COLOR": "1", **env},
    )


def refused(done: subprocess.CompletedProcess[str], code: int, words: str) -> None:
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command", [[], ["train"], ["export"], ["calibrate"], ["build"], ["bench"], ["dataset", "show"]]
)
def test_help(command: list[str], tmp_path: Path) -> None:
    done = edge(*command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "Usage" in done.stdout


def test_build_and_bench_with_json(
    tmp_path: Path, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = edge("build", *QUICK, "--target", "onnxruntime", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    built = json.loads(done.stdout)
    assert built["path"] == "build/small-int8-onnxruntime-64x64"
    assert {"name", "target", "precision", "imgsz", "files", "size_mb", "build_s"} <= built.keys()
    assert 0 < built["int8_layers"] <= built["layers"]

    quick = ["--samples", "rendered:4", "--duration", 0, "--iterations", 11, "--warmup", 0]
    done = edge("bench", built["path"], *quick, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report == json.loads((tmp_path / "reports" / "report.json").read_text())
    assert (tmp_path / "reports" / "report.md").read_text().startswith("**small-int8")

    # What the gates are about need not be measured again.
    monkeypatch.setattr("edge.benchmarks.measuring.bench.bench", lambda *_: outcome)
    slow = edge("bench", built["path"], *quick, "--gate-fps", "1e9", cwd=tmp_path)
    assert slow.returncode == 4
    assert "fps, asked are" in slow.stderr
    lossy = edge("bench", built["path"], *quick, "--gate-drop", "-2", cwd=tmp_path)
    assert lossy.returncode == 3
    assert "allowed is -2" in lossy.stderr


@pytest.mark.slow
def test_a_rectangle_at_every_station(tmp_path: Path) -> None:
    """320x192: calibrate to a file, build from it, and a stale file is refused."""
    quick = ["--samples", "rendered:3", "--imgsz", "320x192", "--calib-samples", 3]
    done = edge("calibrate", *quick, "--calib-method", "mse", cwd=tmp_path)
    assert done.stdout.strip() == "ranges.json", done.stderr
    again = [*quick, "--ranges", "ranges.json", "--calib-method"]
    done = edge("build", *again, "mse", "--target", "openvino", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["imgsz"] == [192, 320]
    done = edge("build", *again, "minmax", "--target", "openvino", cwd=tmp_path)
    refused(done, 1, "ranges.json is stale: its method is mse, this build has minmax")


WRONG = {
    "a missing folder": (["--samples", "/nowhere"], 1, "no folder /nowhere"),
    "a size that does not divide": (["--imgsz", "100"], 2, "multiples of 16; the nearest is 96x96"),
    "a size that is none": (["--imgsz", "big"], 2, "expected WIDTHxHEIGHT"),
    "an unknown target": (["--target", "tpu"], 2, "unknown target 'tpu'; known: auto"),
    "an unknown precision": (["--precision", "int4"], 2, "unknown precision 'int4'"),
    "an unknown network": (["--network", "huge"], 2, "no bundled network 'huge'; bundled: "),
    "an unknown method": (["--calib-method", "magic"], 2, "unknown --calib-method 'magic'"),
    "a missing file": (["none.onnx"], 1, "no file none.onnx"),
    "an unknown generation": (["--target", "tensorrt-rtx", "--sm", "87"], 2, "known: 75, 80"),
    "a generation for a CPU": (
        ["--target", "openvino", "--sm", "86"],
        2,
        "--sm has no effect: openvino builds for the machine it is on",
    ),
    "a folder that is no build": (["."], 5, "is not a build"),
    "no option of ours": (["--fast"], 2, "No such option"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_things_get_one_sentence(case: str, tmp_path: Path) -> None:
    words, code, sentence = WRONG[case]
    refused(edge("build", *words, cwd=tmp_path), code, sentence)
    assert not (tmp_path / "build").exists()


UNUSED = {
    "int8 options on fp32": ["--precision", "fp32", "--calib-samples", "4"],
    "samples on fp16": ["--precision", "fp16", "--samples", "rendered:4"],
    "a bundled network beside a file": ["net.onnx", "--network", "nano"],
    "an option on a folder": [".", "--precision", "int8"],
}


@pytest.mark.parametrize("case", UNUSED)
def test_options_without_effect_are_refused(case: str, tmp_path: Path) -> None:
    refused(edge("build", *UNUSED[case], cwd=tmp_path), 2, "has no effect")


def test_alone_it_prints_the_help(tmp_path: Path) -> None:
    done = process(cwd=tmp_path)
    assert "[OPTIONS] COMMAND [ARGS]" in done.stdout + done.stderr
    assert "  build  " in done.stdout + done.stderr


def test_the_version(tmp_path: Path) -> None:
    from edge import __version__

    assert process("--version", cwd=tmp_path).stdout == f"edge {__version__}\n"


def test_a_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    """The reader is gone before the first word."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "edge", "doctor"]
    with subprocess.Popen(command, stdout=write, stderr=subprocess.PIPE, cwd=tmp_path) as process:
        os.close(write)
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_files_of_ones_own_are_never_taken_for_ours(tmp_path: Path) -> None:
    for name in ("train", "calibrate", "benchmarks", "cli"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('not ours')\n")
    for words in (["doctor"], ["build", *QUICK, "--out", "b"], ["calibrate", *QUICK]):
        done = process(*words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    for name in ("train", "tune", "bench", "prune", "sensitivity", "networks", "run"):
        assert process(name, "--help", cwd=tmp_path).returncode == 0


def test_a_file_that_is_no_network(tmp_path: Path) -> None:
    for data in (b"", b"garbage" * 50):
        (tmp_path / "net.onnx").write_bytes(data)
        refused(edge("build", "net.onnx", cwd=tmp_path), 1, "net.onnx is not an ONNX network")


def test_a_library_that_cannot_be_loaded_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from edge.cli import app

    def broken() -> None:
        raise ImportError("libGL.so.1: cannot open shared object file", name="cv2")

    def ours() -> None:
        raise ImportError("cannot import name 'x' from 'edge'", name="edge")

    monkeypatch.setattr(app, "app", broken)
    with pytest.raises(SystemExit, match="1"):
        app.main()
    why = "libGL.so.1: cannot open shared object file"
    said = capsys.readouterr().err
    assert (
        said == f"error: `cv2` is installed, but cannot be loaded: {why}; edge doctor says more\n"
    )
    monkeypatch.setattr(app, "app", ours)
    with pytest.raises(ImportError):
        app.main()


def test_a_build_with_a_flipped_byte(builds, tmp_path: Path) -> None:
    shutil.copytree(builds("openvino", "int8"), tmp_path / "copy")
    data = bytearray((tmp_path / "copy" / "frame.bin").read_bytes())
    data[100] ^= 1
    (tmp_path / "copy" / "frame.bin").write_bytes(bytes(data))
    refused(edge("bench", "copy", cwd=tmp_path), 5, "frame.bin is not the file that was built")


def test_tensorrt_without_tensorrt(tmp_path: Path) -> None:
    done = edge("build", *QUICK, "--target", "tensorrt", "--json", cwd=tmp_path)
    assert done.returncode == 5
    assert json.loads(done.stdout)["int8_layers"] is None
    assert "the Python module `tensorrt` is not installed here" in done.stderr
    place = tmp_path / "build" / "small-int8-tensorrt-64x64"
    assert {"frame.onnx", "background.onnx", "ranges.json"} <= {p.name for p in place.iterdir()}


@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("torch", ["train"]),
        ("openvino", ["build", "--target", "openvino", *QUICK]),
    ],
)
def test_a_missing_extra_gives_the_install_command(
    module: str, command: list[str], tmp_path: Path
) -> None:
    """As on a machine without it: the import of that one module fails."""
    hide = tmp_path / "hide"
    hide.mkdir()
    (hide / "sitecustomize.py").write_text(f"import sys; sys.modules[{module!r}] = None\n")
    done = process(*command, cwd=tmp_path, PYTHONPATH=str(hide))
    refused(done, 1, f"this needs `{module}`, which is not installed")
    assert f"'.[{EXTRAS[module]}]'" in str(missing(module))


def test_a_data_set_is_composed_resumed_and_measured(tmp_path: Path) -> None:
    import cv2
    import numpy as np

    for part in ("bg", "fg"):
        (tmp_path / part).mkdir()
    rng = np.random.default_rng(0)
    for name in ("hall", "yard"):
        cv2.imwrite(
            str(tmp_path / "bg" / f"{name}.png"), rng.integers(0, 256, (40, 50, 3), np.uint8)
        )
    cv2.imwrite(str(tmp_path / "fg" / "box.png"), np.full((20, 10, 4), 255, np.uint8))
    words = ["dataset", "compose", "bg", "fg", "--out", "out", "--places", 3, "--size", 64]
    done = edge(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "12 composites of 2 backgrounds and 1 cut-outs; 0 backgrounds are" in done.stderr
    first = (tmp_path / "out" / "fg_bg" / "yard.zip").stat().st_mtime_ns
    (tmp_path / "out" / "fg_bg" / "hall.zip").unlink()
    done = edge(*words, cwd=tmp_path)
    assert "1 backgrounds are complete" in done.stderr
    assert (tmp_path / "out" / "fg_bg" / "yard.zip").stat().st_mtime_ns == first
    refused(edge(*words[:-1], 32, cwd=tmp_path), 1, "give the same options or another --out")
    found = edge("dataset", "stats", "out", "--json", cwd=tmp_path)
    assert json.loads(found.stdout)["samples"] == 12
    cv2.imwrite(str(tmp_path / "fg" / "ball.png"), np.full((9, 9, 4), 255, np.uint8))
    refused(edge(*words, cwd=tmp_path), 1, "give the same options or another --out")
    shown = edge("dataset", "show", "out", "--out", "sheet.png", cwd=tmp_path)
    assert shown.stdout.strip() == "sheet.png"
    assert cv2.imread(str(tmp_path / "sheet.png")).std() > 5
