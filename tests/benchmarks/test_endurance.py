"""What long runs are held to, on short ones, and that each fault shows."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge
from edge.benchmarks import endurance
from edge.benchmarks.endurance import GROWTH_MB, Result, Usage

USED = Usage(100.0, 12, 3)
FLAT = Result("1 frame", USED, USED, 0)


@pytest.mark.parametrize("target", ["openvino", "onnxruntime"])
def test_frames_and_backgrounds_of_a_build_are_equal(target: str, builds: Any) -> None:
    build = builds(target, "int8")
    for result in (endurance.frames(build, 40), endurance.backgrounds(build, 12)):
        assert result.different == 0
        assert result.after.descriptors == result.before.descriptors


def test_each_kind_of_growth_and_a_difference_fail() -> None:
    assert not FLAT.failed
    for worse in (
        replace(USED, resident_mb=100.1 + GROWTH_MB),
        replace(USED, descriptors=13),
        replace(USED, threads=4),
    ):
        assert replace(FLAT, after=worse).failed
    assert replace(FLAT, different=1).failed
    assert not replace(FLAT, after=replace(USED, resident_mb=90.0, descriptors=11)).failed


def test_a_frame_that_is_not_as_the_first_time_is_counted(
    builds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, calls = edge.infer, 0

    def wrong_once(h: edge.Handle, frame: Any) -> Any:
        nonlocal calls
        calls += 1
        mask, depth = right(h, frame)
        return (None if mask is None else mask + np.float32(1e-6 * (calls == 20))), depth

    monkeypatch.setattr(edge, "infer", wrong_once)
    assert endurance.frames(builds("onnxruntime", "fp32"), 40).different == 1


def test_a_descriptor_that_stays_open_fails(builds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    right, leaked = edge.set_background, []

    def leaks(*words: Any) -> None:
        leaked.append(os.open(os.devnull, os.O_RDONLY))
        right(*words)

    monkeypatch.setattr(edge, "set_background", leaks)
    try:
        assert endurance.backgrounds(builds("onnxruntime", "fp32"), 12).failed
    finally:
        for descriptor in leaked:
            os.close(descriptor)


def test_days_of_watching_make_equal_events(
    builds: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(endurance, "DAY_S", endurance.HOUR_S)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    result = endurance.watching(builds("openvino", "fp32"), 2)
    assert "2 days of watching" in result.text
    assert not list(tmp_path.iterdir())


def test_the_command_prints_a_row_for_each_part_and_fails_where_one_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Here:
        def __init__(self, *words: Any) -> None: ...

        def __enter__(self) -> Here:
            return self

        def __exit__(self, *words: Any) -> None: ...

        def submit(self, part: Any, build: Path, amount: int) -> Any:
            bad = part is endurance.backgrounds and build.name == "bad"
            result = replace(FLAT, text=f"{build.name} {part.__name__} {amount}", different=bad)
            return type("Done", (), {"result": lambda self: result})()

    monkeypatch.setattr(endurance, "ProcessPoolExecutor", Here)
    assert endurance.main(["good", "--frames", "5"]) == 0
    text = capsys.readouterr().out
    for row in ("good frames 5", "good backgrounds 10000", "good watching 7"):
        assert row in text
    assert endurance.main(["good", "bad"]) == 1
