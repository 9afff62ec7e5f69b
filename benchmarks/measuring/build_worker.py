"""An open build in its process, measured through the calls of the runtime alone.

The other measurements of a build are functions that take a `BuildWorker`: scores.py (accuracy,
gate, flicker), startup.py, pace.py, overhead.py.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

import edge
from edge.benchmarks.measuring.gpu_memory import gpu_memory_mb
from edge.benchmarks.measuring.power import meters
from edge.benchmarks.measuring.rounds import FrameTimes
from edge.benchmarks.measuring.samples import load_samples
from edge.benchmarks.reporting.images import Answer
from edge.benchmarks.reporting.report import Energy
from edge.image import size_of
from edge.manifest import Manifest
from edge.runtime.handle import Handle, Outputs
from edge.samples.sample import Sample
from edge.things.find import find_things

FRAMES_PER_SCENE = 64
"""Frames that are timed on a scene before the next: a background takes as long as a hundred."""


@dataclass(frozen=True)
class BuildJob:
    """A build and what it is measured on.

    fold, cuda: see edge.open; samples: pickled file; depths: folder where FP32's depth maps are
    kept for the other builds of its network.
    """

    build: Path
    fold: bool
    threads: int
    samples: Path
    depths: Path
    cuda: str = "auto"

    def open(self) -> BuildWorker:
        return BuildWorker(self)


def as_float(outputs: Outputs) -> Answer:
    """Copies of a build's outputs, float32 in 0..1 whatever dtype it gives."""
    mask, depth = (
        None
        if plane is None
        else plane.astype(np.float32) / np.float32(255 if plane.dtype == np.uint8 else 1)
        for plane in outputs
    )
    return mask, depth


class BuildWorker:
    """An open build and its samples."""

    def __init__(self, job: BuildJob) -> None:
        cv2.setNumThreads(1)
        self.job = job
        start = time.perf_counter()
        self.h: Handle = edge.open(job.build, job.threads, fold=job.fold, cuda=job.cuda)
        self.opened_ms = 1e3 * (time.perf_counter() - start)
        self.samples = load_samples(job.samples)
        self.scenes = [list(group) for _, group in groupby(self.samples, lambda pair: pair[0])]
        self.scene = ""
        self.timed = 0
        """Frames timed so far."""
        self.meters = meters()
        self.joules = dict.fromkeys(self.meters, 0.0)
        self.metered, self.metered_s = 0, 0.0
        self.gpu_mb: float | None = None

    def manifest(self) -> Manifest:
        return self.h.manifest

    def show(self, name: str, sample: Sample) -> bool:
        """Set the sample's background unless its scene is shown already; whether it was set."""
        if name == self.scene:
            return False
        spread = None if sample.spread is None else edge.fit(self.h, sample.spread)
        edge.set_background(self.h, edge.fit(self.h, sample.bg), spread)
        self.scene = name
        return True

    def answer(self, name: str, sample: Sample) -> Answer:
        """Copies of mask and depth of a sample."""
        self.show(name, sample)
        return as_float(edge.infer(self.h, edge.fit(self.h, sample.fg_bg)))

    def answers(self, indices: list[int]) -> list[Answer]:
        """Mask and depth of the samples at `indices`."""
        return [self.answer(*self.samples[index]) for index in indices]

    def frames(self, count: int) -> FrameTimes:
        """Time the next `count` frames. Changing the background between scenes is not a frame's
        work: neither its time nor its energy counts."""
        times = FrameTimes()
        while count:
            block = min(count, FRAMES_PER_SCENE - self.timed % FRAMES_PER_SCENE)
            scene = self.scenes[self.timed // FRAMES_PER_SCENE % len(self.scenes)]
            self.show(*scene[0])
            start = time.perf_counter()
            before = {name: read() for name, read in self.meters.items()}
            for number in range(self.timed, self.timed + block):
                self._time(scene[number % len(scene)][1], times)
            for name, read in self.meters.items():
                self.joules[name] += read() - before[name]
            self.metered += block
            self.metered_s += time.perf_counter() - start
            count -= block
            self.timed += block
        used = gpu_memory_mb()
        if used is not None:
            self.gpu_mb = max(used, self.gpu_mb or 0.0)
        return times

    def _time(self, sample: Sample, times: FrameTimes) -> None:
        begin = time.perf_counter()
        fitted = edge.fit(self.h, sample.fg_bg)
        ready = time.perf_counter()
        mask, depth = edge.infer(self.h, fitted)
        inferred = time.perf_counter()
        if mask is not None:
            find_things(mask, depth, size_of(sample.fg_bg))
        end = time.perf_counter()
        times.preprocess.append(1e3 * (ready - begin))
        times.latency.append(1e3 * (inferred - ready))
        times.postprocess.append(1e3 * (end - inferred))

    def energy(self) -> dict[str, Energy]:
        """What each meter of the machine counted in `frames`, the idle share included."""
        return {
            name: Energy(
                mj_a_frame=round(1e3 * joules / self.metered, 4),
                watts=round(joules / self.metered_s, 3),
            )
            for name, joules in self.joules.items()
        }

    def gpu_mem_peak_mb(self) -> float | None:
        """The most GPU memory that this process was seen to hold; None where it is not known."""
        return self.gpu_mb
