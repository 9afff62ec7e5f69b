"""The time of a start: opening, the first background, the first frames."""

from __future__ import annotations

import time
from statistics import median

from edge.benchmarks.measuring.build_worker import BuildWorker
from edge.benchmarks.reporting.report import Cold

COLD_FRAMES = 100


def cold(worker: BuildWorker) -> Cold:
    """Time the start of a build that has seen no frame yet: opening (files checked, plan loaded),
    the first background (its graph, compiling it in, warming up), the first frames."""
    start = time.perf_counter()
    worker.show(*worker.samples[0])
    background = 1e3 * (time.perf_counter() - start)
    latency = worker.frames(COLD_FRAMES).latency
    return Cold(
        open_ms=round(worker.opened_ms, 2),
        background_ms=round(background, 2),
        first_ms=round(latency[0], 4),
        first_100_ms=round(median(latency), 4),
    )
