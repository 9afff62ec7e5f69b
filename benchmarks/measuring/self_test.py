"""Self-test of the benchmark: work of a known time must be reported as that time."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass

from edge.benchmarks.measuring.process import process
from edge.benchmarks.measuring.rounds import Effort, FrameTimes, Timed, interleaved_rounds
from edge.benchmarks.measuring.stats import summary

KNOWN_MS = (0.5, 5.0)
ALLOWED = 0.02
FRAMES = 200


@dataclass(frozen=True)
class KnownTime:
    """A known time, its p50 as the benchmark reports it, and the relative error."""

    true_ms: float
    p50_ms: float
    error: float


@dataclass(frozen=True)
class KnownJob:
    """Work that takes exactly so long."""

    milliseconds: float

    def open(self) -> KnownWorker:
        return KnownWorker(self.milliseconds)


class KnownWorker:
    """Sleeps for most of the time and spins for the rest: sleeping alone is never exact."""

    def __init__(self, milliseconds: float) -> None:
        self.seconds = milliseconds / 1e3

    def frames(self, count: int) -> FrameTimes:
        times = FrameTimes()
        for _ in range(count):
            start = time.perf_counter()
            if self.seconds > 0.002:
                time.sleep(self.seconds - 0.002)
            while time.perf_counter() - start < self.seconds:
                pass
            times.latency.append(1e3 * (time.perf_counter() - start))
            times.preprocess.append(0.0)
        return times


def self_test() -> list[KnownTime]:
    """Measure KNOWN_MS through the same processes, rounds and summaries as builds."""
    with ExitStack() as stack:
        timed = [Timed(stack.enter_context(process(KnownJob(known)))) for known in KNOWN_MS]
        interleaved_rounds(timed, Effort(0.05, 0.0, FRAMES), lambda stage, done, total: None)
    rows = []
    for known, entry in zip(KNOWN_MS, timed, strict=True):
        p50 = summary(entry.times.latency).p50
        assert p50 is not None  # FRAMES are enough
        rows.append(KnownTime(known, p50, p50 / known - 1))
    return rows
