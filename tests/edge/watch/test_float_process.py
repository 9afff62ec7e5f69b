"""FP32 in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import edge
from edge.errors import EdgeError, UsageError
from edge.samples.sample import Sample
from edge.scene.background import certain
from edge.watch.float_process import FloatProcess, FloatProcesses


@pytest.fixture
def process(builds: Callable[[str, str], Path]) -> Iterator[FloatProcess]:
    """Of usual priority: a machine that is busy would leave the tests waiting."""
    opened = FloatProcess(builds("onnxruntime", "int8"), lambda pid: None)
    yield opened
    opened.close()


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="Linux only")
def test_it_runs_only_when_idle_and_ends_at_once(builds: Callable[[str, str], Path]) -> None:
    opened = FloatProcess(builds("onnxruntime", "int8"))
    pid = opened._process.pid
    assert pid is not None
    assert os.sched_getscheduler(pid) == os.SCHED_IDLE != os.sched_getscheduler(0)
    opened.close()
    opened.close()
    assert not opened._process.is_alive()


def test_it_answers_as_fp32_of_the_network(
    builds: Callable[[str, str], Path], process: FloatProcess, samples: list[Sample]
) -> None:
    """Two cameras in turn, each with a background of its own, of another size, and a spread."""
    first, second = samples[0], samples[-1]
    assert not np.array_equal(first.bg, second.bg)
    large = replace(certain(np.repeat(np.repeat(first.bg, 2, 0), 2, 1)), spread=first.bg // 9)
    scenes = {"a": (large, first), "b": (certain(second.bg), second)}
    with edge.open(builds("onnxruntime", "fp32"), 1) as h:
        for camera in ("a", "b", "a"):
            background, sample = scenes[camera]
            spread = background.spread
            edge.set_background(h, edge.fit(h, background.image), spread)
            expected = edge.infer(h, sample.fg_bg)
            found = process.infer(camera, background, sample.fg_bg)
            for theirs, ours in zip(expected, found, strict=True):
                np.testing.assert_allclose(theirs, ours, atol=1e-5)  # type: ignore[arg-type]
    with pytest.raises(EdgeError, match="frame is uint8"):
        process.infer("a", scenes["a"][0], first.fg_bg[:9])
    process._process.kill()
    with pytest.raises(EdgeError, match="the process that computes FP32 has ended"):
        process.infer("a", scenes["a"][0], first.fg_bg)


def test_only_an_int8_build_has_one(builds: Callable[[str, str], Path]) -> None:
    with pytest.raises(UsageError, match="is fp32; a shadow compares an int8 build with FP32"):
        FloatProcess(builds("onnxruntime", "fp32"))


def test_one_for_each_build(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def make(build: Path) -> SimpleNamespace:
        made.append(f"open {build}")
        return SimpleNamespace(close=lambda: made.append(f"close {build}"))

    monkeypatch.setattr("edge.watch.float_process.FloatProcess", make)
    processes = FloatProcesses()
    assert processes.of(Path("a")) is processes.of(Path("a")) is not processes.of(Path("b"))
    processes.close()
    processes.close()
    assert made == ["open a", "open b", "close b", "close a"]
