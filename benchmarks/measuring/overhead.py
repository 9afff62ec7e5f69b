"""What edge.infer adds to the backend's own call, and the stages of a device."""

from __future__ import annotations

import time
from statistics import median

import edge
from edge.benchmarks.measuring.build_worker import BuildWorker
from edge.benchmarks.reporting.report import Overhead
from edge.runtime.backend import SLOTS, Staged


def overhead(worker: BuildWorker, count: int) -> Overhead:
    """Time edge.infer and the backend's call alternately, on frames at network size; the backend's
    call computes the frame that edge.infer left in its buffer."""
    frames = [edge.fit(worker.h, sample.fg_bg) for _, sample in worker.samples[:16]]
    worker.show(*worker.samples[0])
    runtime: list[float] = []
    backend: list[float] = []
    for number in range(count):
        frame = frames[number % len(frames)]
        start = time.perf_counter()
        edge.infer(worker.h, frame)
        middle = time.perf_counter()
        worker.h.backend.run(number % SLOTS)
        end = time.perf_counter()
        runtime.append(1e3 * (middle - start))
        backend.append(1e3 * (end - middle))
    infer, run = median(runtime), median(backend)
    return Overhead(infer_ms=infer, backend_ms=run, n=count, share=infer / run - 1)


def stages(worker: BuildWorker, count: int) -> dict[str, list[float]]:
    """Milliseconds of `h2d`, `gpu_compute` and `d2h` by the device's clock; empty on a CPU."""
    worker.show(*worker.samples[0])
    if not isinstance(worker.h.backend, Staged):
        return {}
    return worker.h.backend.stages(count)
