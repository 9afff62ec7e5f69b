"""The benchmark measures itself: work of a known time must be reported as that time."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from edge.benchmarks.measuring.process import process, take_turns
from edge.benchmarks.measuring.stats import summary

KNOWN_MS = (0.5, 5.0)
ALLOWED = 0.02
FRAMES = 200


@dataclass(frozen=True)
class KnownJob:
    """Work that takes exactly so long."""

    milliseconds: float

    @property
    def brief(self) -> bool:
        return False

    def open(self) -> KnownWorker:
        return KnownWorker(self.milliseconds)


class KnownWorker:
    """Sleeps for most of the time and spins for the rest: sleeping alone is never exact."""

    def __init__(self, milliseconds: float) -> None:
        self.seconds = milliseconds / 1e3

    def describe(self) -> dict[str, Any]:
        return {"name": f"{1e3 * self.seconds:g} ms"}

    def frames(self, count: int) -> dict[str, list[float]]:
        times: dict[str, list[float]] = {"preprocess": [], "latency": []}
        for _ in range(count):
            start = time.perf_counter()
            if self.seconds > 0.002:
                time.sleep(self.seconds - 0.002)
            while time.perf_counter() - start < self.seconds:
                pass
            times["latency"].append(1e3 * (time.perf_counter() - start))
            times["preprocess"].append(0.0)
        return times


def self_test() -> list[dict[str, float]]:
    """For each of KNOWN_MS: true_ms, p50_ms as the benchmark reports it, and the relative error."""
    found = []
    with ExitStack() as stack:
        workers = [stack.enter_context(process(KnownJob(known))) for known in KNOWN_MS]
        take_turns(workers, 0.05, 0.0, FRAMES, lambda what, done, total: None)
        for known, worker in zip(KNOWN_MS, workers, strict=True):
            p50 = summary(worker.times["latency"])["p50"]
            assert isinstance(p50, float)
            found.append({"true_ms": known, "p50_ms": p50, "error": p50 / known - 1})
            worker.end()
    return found
