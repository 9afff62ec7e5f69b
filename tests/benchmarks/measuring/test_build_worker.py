"""Which frames a worker times, without a build."""

from __future__ import annotations

from typing import Any

import pytest

from edge.benchmarks.measuring import build_worker as module
from edge.benchmarks.measuring.build_worker import FRAMES_PER_SCENE, BuildWorker


class Worker(BuildWorker):
    """Notes what it shows and times."""

    def __init__(self, scenes: list[list[Any]]) -> None:
        self.scenes, self.timed = scenes, 0
        self.meters, self.joules = {"package": lambda: 2.0 * len(self.seen)}, {"package": 0.0}
        self.metered, self.metered_s, self.gpu_mb = 0, 0.0, None
        self.shown: list[str] = []
        self.seen: list[str] = []

    def show(self, name: str, sample: Any) -> bool:
        self.shown.append(name)
        return True

    def _time(self, sample: Any, times: Any) -> None:
        self.seen.append(sample)
        times.latency.append(1.0)


def test_scenes_take_turns_and_every_frame_that_was_asked_for_is_timed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = iter([None, 5.0, 3.0])
    monkeypatch.setattr(module, "gpu_memory_mb", lambda: next(held))
    worker = Worker([[("a", "a0"), ("a", "a1"), ("a", "a2")], [("b", "b0")]])
    lengths = [len(worker.frames(count).latency) for count in (FRAMES_PER_SCENE + 6, 10, 60)]
    assert lengths == [FRAMES_PER_SCENE + 6, 10, 60]
    assert worker.shown == ["a", "b", "b", "b", "a"]
    turn = [f"a{i % 3}" for i in range(FRAMES_PER_SCENE)], ["b0"] * FRAMES_PER_SCENE
    assert worker.seen[: 2 * FRAMES_PER_SCENE] == [*turn[0], *turn[1]]
    assert worker.seen[2 * FRAMES_PER_SCENE :] == [f"a{i % 3}" for i in range(128, 140)]
    assert worker.metered == worker.timed == 140
    assert worker.energy()["package"].mj_a_frame == 2000.0
    assert worker.gpu_mem_peak_mb() == 5.0
