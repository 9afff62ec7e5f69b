"""Frames at a camera's rate, by a clock that moves only when somebody works or waits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from edge.benchmarks.measuring import pace as module


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@pytest.mark.parametrize(
    ("work_s", "count", "frames", "missed", "dropped", "fps"),
    [
        (0.0625, 10, 10, 0, 0, 8.0),
        (0.375, 10, 4, 4, 6, 2.67),  # each takes three periods: every third is taken
        (0.3125, 9, 4, 4, 5, 3.2),  # 2.5 periods; none is dropped that is beyond the last
    ],
)
def test_what_is_late_is_missed_and_what_falls_due_meanwhile_is_dropped(
    work_s: float,
    count: int,
    frames: int,
    missed: int,
    dropped: int,
    fps: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, shown = Clock(), []

    def infer(h: Any, image: Any) -> None:
        shown.append(image)
        clock.now += work_s

    runtime = SimpleNamespace(fit=lambda h, image: image, infer=infer)
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module, "edge", runtime)
    samples = [(name, SimpleNamespace(fg_bg=f"{name}{i}")) for name in "ab" for i in range(3)]
    worker: Any = SimpleNamespace(samples=samples, h=None, show=lambda name, sample: True)
    found = module.paced(worker, 8.0, count)
    assert (found.deadline_misses, found.dropped_frames) == (missed, dropped)
    assert found.end_to_end_ms.n == len(shown) == frames
    assert found.end_to_end_ms.mean == pytest.approx(1e3 * work_s)
    assert (found.fps, found.fps_paced) == (8.0, fps)
    assert set(shown) <= {"a0", "a1", "a2"}  # of the first scene
    assert shown[1] == ("a1" if frames == count else "a0" if work_s == 0.375 else "a2")
