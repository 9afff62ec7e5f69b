"""Frames at a camera's rate: between two frames, clocks sink and caches cool."""

from __future__ import annotations

import time

import edge
from edge.benchmarks.measuring.build_worker import BuildWorker
from edge.benchmarks.measuring.stats import summary
from edge.benchmarks.reporting.report import Paced


def paced(worker: BuildWorker, fps: float, count: int) -> Paced:
    """Infer `count` frames of the first scene as they fall due.

    A frame that falls due while an older one is still at work is dropped; one that is finished
    after the next fell due missed its deadline.
    """
    period, first = 1 / fps, worker.samples[0][0]
    images = [sample.fg_bg for name, sample in worker.samples if name == first]
    worker.show(*worker.samples[0])
    latency: list[float] = []
    missed = dropped = number = 0
    start = time.perf_counter()
    while number < count:
        if (ahead := start + number * period - time.perf_counter()) > 0:
            time.sleep(ahead)
        begin = time.perf_counter()
        edge.infer(worker.h, edge.fit(worker.h, images[number % len(images)]))
        end = time.perf_counter()
        latency.append(1e3 * (end - begin))
        behind = max(0, int((end - start) / period) - number)
        missed += behind > 0
        dropped += min(behind - 1, count - 1 - number) if behind else 0
        number += max(1, behind)
    took = time.perf_counter() - start
    return Paced(
        fps=fps,
        fps_paced=round(len(latency) / max(took, count * period), 2),
        end_to_end_ms=summary(latency),
        deadline_misses=missed,
        dropped_frames=dropped,
    )
