"""One build in a process of its own: it answers with latencies and with accuracy.

Two runtimes with thread pools in one process disturb each other up to tenfold, so every build that
is compared gets its own process, and one works at a time.
"""

from __future__ import annotations

import pickle
import resource
import time
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

import edge
from benchmarks.pictures import Answer
from edge.accuracy import THRESHOLD, MaskCounts, count_mask, depth_scores, means
from edge.errors import EdgeError
from edge.runtime.handle import Handle
from edge.samples.sample import Sample


@dataclass(frozen=True)
class Job:
    """What a worker measures.

    samples: pickled list of (sequence, Sample), the same for every worker of a run.
    depths: folder where FP32's depth maps are kept for the others.
    """

    build: Path
    fold: bool
    threads: int
    samples: Path
    depths: Path


class Worker:
    """An open build and the samples that it is measured on."""

    def __init__(self, job: Job) -> None:
        cv2.setNumThreads(1)
        self.job = job
        self.h: Handle = edge.open(job.build, job.threads, fold=job.fold)
        with job.samples.open("rb") as stream:
            self.samples: list[tuple[str, Sample]] = pickle.load(stream)
        self.scene = ""
        self.at = 0

    def show(self, name: str, sample: Sample) -> None:
        """Set the sample's background if the last one was of another scene."""
        if name != self.scene:
            edge.set_background(self.h, edge.fit(self.h, sample.bg))
            self.scene = name

    def infer(self, sample: Sample) -> Answer:
        """Copies of mask and depth of a sample, float32 in 0..1 whatever the build gives."""
        planes = edge.infer(self.h, edge.fit(self.h, sample.fg_bg))
        mask, depth = (
            None
            if plane is None
            else plane.astype(np.float32) / np.float32(255 if plane.dtype == np.uint8 else 1)
            for plane in planes
        )
        return mask, depth

    def accuracy(self, reference: bool) -> dict[str, dict[str, float]]:
        """Scores of all samples: mask counts summed per sequence, then averaged over sequences.

        reference: this is FP32, whose depth stands for the truth where the samples have none.
        """
        counts: dict[str, MaskCounts] = {}
        depths: list[dict[str, float]] = []
        for index, (name, sample) in enumerate(self.samples):
            self.show(name, sample)
            mask, depth = self.infer(sample)
            height, width = sample.mask.shape
            if mask is not None:
                full = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)
                found = count_mask(np.asarray(full) >= THRESHOLD, sample.mask)
                counts[name] = counts.get(name, MaskCounts()) + found
            if depth is not None:
                depths.append(self._depth(index, sample, depth, reference))
        scores = {}
        if counts:
            scores["mask"] = means([count.scores() for count in counts.values()])
        if depths:
            scores["depth"] = means(depths)
        return scores

    def _depth(
        self, index: int, sample: Sample, depth: npt.NDArray[np.float32], reference: bool
    ) -> dict[str, float]:
        if sample.depth is not None:
            height, width = sample.depth.shape
            full = cv2.resize(depth, (width, height), interpolation=cv2.INTER_LINEAR)
            return depth_scores(np.asarray(full), sample.depth)
        file = self.job.depths / f"{index}.npy"
        if reference:
            np.save(file, depth)
        return depth_scores(depth, np.load(file))

    def answers(self, indices: list[int]) -> list[Answer]:
        """Copies of mask and depth of some samples, for people to look at."""
        found: list[Answer] = []
        for name, sample in (self.samples[index] for index in indices):
            self.show(name, sample)
            mask, depth = self.infer(sample)
            found.append((mask, depth))
        return found

    def frames(self, count: int) -> dict[str, list[float]]:
        """Milliseconds of the next `count` frames, going round the samples.

        preprocess: native frame to the build's size; latency: from there to outputs in hand.
        Changing the background between scenes is not a frame's work and not timed.
        """
        times: dict[str, list[float]] = {"preprocess": [], "latency": []}
        for _ in range(count):
            name, sample = self.samples[self.at]
            self.at = (self.at + 1) % len(self.samples)
            self.show(name, sample)
            start = time.perf_counter()
            fitted = edge.fit(self.h, sample.fg_bg)
            middle = time.perf_counter()
            edge.infer(self.h, fitted)
            end = time.perf_counter()
            times["preprocess"].append(1e3 * (middle - start))
            times["latency"].append(1e3 * (end - middle))
        return times

    def footprint(self) -> dict[str, float]:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {"rss_peak_mb": round(peak, 1)}


def serve(link: Connection, job: Job) -> None:
    """Answer calls of the form (name, arguments) until None comes; errors travel as answers."""
    try:
        worker = Worker(job)
        link.send(asdict(worker.h.manifest))
        while (call := link.recv()) is not None:
            name, arguments = call
            link.send(getattr(worker, name)(*arguments))
    except EdgeError as error:
        link.send(error)
    except (EOFError, KeyboardInterrupt):
        pass
