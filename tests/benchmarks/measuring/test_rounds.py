from __future__ import annotations

import time
from typing import Any

from edge.benchmarks.measuring.rounds import ROUNDS, Effort, FrameTimes, Timed, interleaved_rounds


class Fake:
    """A process that spends most of its time on what is not timed."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def call(self, function: Any, count: int) -> FrameTimes:
        time.sleep(0.002)
        self.asked.append(count)
        return FrameTimes([0.0] * count, [1.0] * count)


def test_duration_is_time_at_work() -> None:
    fake = Fake()
    timed = Timed(fake)  # type: ignore[arg-type]
    rounds: list[int] = []
    interleaved_rounds([timed], Effort(0.016, 0.4, 11), lambda s, done, n: rounds.append(done))
    assert fake.asked == [4] * 4 + [40] * ROUNDS
    assert len(timed.times.latency) == 400
    assert rounds == list(range(1, ROUNDS + 1))


def test_few_frames_do_for_a_ratio() -> None:
    fake = Fake()
    interleaved_rounds([Timed(fake, most=64)], Effort(0, 0, 700), lambda s, done, n: None)  # type: ignore[arg-type]
    assert fake.asked == [4] + [7] * ROUNDS
