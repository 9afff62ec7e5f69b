"""A build in its process: measured through the calls of the runtime and no other way."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

import edge
from edge.accuracy import depth_scores, means
from edge.benchmarks.measuring.power import meters
from edge.benchmarks.measuring.stats import summary
from edge.benchmarks.measuring.worker import load_samples, mask_scores
from edge.benchmarks.reporting.pictures import Answer
from edge.loop.blobs import blobs
from edge.runtime.backend import SLOTS, Staged
from edge.runtime.handle import Handle, Outputs
from edge.samples.sample import Sample
from edge.scene.gate import Gate

COLD = 100
LINGER = 64
"""Frames that are timed on a scene before the next: a background takes as long as a hundred."""
FRAME_MS = 40.0
"""Time between two samples of a sequence, for the gate's largest age."""


@dataclass(frozen=True)
class BuildJob:
    """fold, cuda: see edge.open; depths: folder where FP32's depth maps are kept for the others."""

    build: Path
    fold: bool
    threads: int
    samples: Path
    depths: Path
    cuda: str = "auto"

    @property
    def brief(self) -> bool:
        return not self.fold

    def open(self) -> BuildWorker:
        return BuildWorker(self)


def as_float(outputs: Outputs) -> Answer:
    """Copies of a build's outputs, float32 in 0..1 whatever it gives."""
    mask, depth = (
        None
        if plane is None
        else plane.astype(np.float32) / np.float32(255 if plane.dtype == np.uint8 else 1)
        for plane in outputs
    )
    return mask, depth


class BuildWorker:
    """An open build and the samples that it is measured on."""

    def __init__(self, job: BuildJob) -> None:
        cv2.setNumThreads(1)
        self.job = job
        start = time.perf_counter()
        self.h: Handle = edge.open(job.build, job.threads, fold=job.fold, cuda=job.cuda)
        self.opened_ms = 1e3 * (time.perf_counter() - start)
        self.samples = load_samples(job.samples)
        self.scenes = [list(group) for _, group in groupby(self.samples, lambda pair: pair[0])]
        self.scene = ""
        self.at = 0  # frames that were timed
        self.meters = meters()
        self.joules = dict.fromkeys(self.meters, 0.0)
        self.counted, self.counted_s = 0, 0.0

    def describe(self) -> dict[str, Any]:
        return asdict(self.h.manifest)

    def show(self, name: str, sample: Sample) -> bool:
        """Set the sample's background if the last one was of another scene; whether it was."""
        if name == self.scene:
            return False
        edge.set_background(self.h, edge.fit(self.h, sample.bg))
        self.scene = name
        return True

    def answer(self, name: str, sample: Sample) -> Answer:
        """Copies of mask and depth of a sample."""
        self.show(name, sample)
        return as_float(edge.infer(self.h, edge.fit(self.h, sample.fg_bg)))

    def cold(self) -> dict[str, float]:
        """What a start costs, in milliseconds: opening (files checked, plan loaded), the first
        background (its graph, compiling it in, warming up), the first frame, and the median of the
        first COLD. Asked for before anything else."""
        name, sample = self.samples[0]
        start = time.perf_counter()
        self.show(name, sample)
        background = 1e3 * (time.perf_counter() - start)
        times = self.frames(COLD)["latency"]
        return {
            "open_ms": round(self.opened_ms, 2),
            "background_ms": round(background, 2),
            "first_ms": round(times[0], 4),
            "first_100_ms": round(median(times), 4),
        }

    def paced(self, fps: float, count: int) -> dict[str, Any]:
        """Frames that come at a camera's rate: what an idle core's clock and caches make of it.

        A frame that is due while an older one is still at work is dropped; one that is done after
        the next was due missed its deadline.
        """
        period, first = 1 / fps, self.samples[0][0]
        pictures = [sample.fg_bg for name, sample in self.samples if name == first]
        self.show(*self.samples[0])
        latency: list[float] = []
        missed = dropped = turn = 0
        start = time.perf_counter()
        while turn < count:
            if (ahead := start + turn * period - time.perf_counter()) > 0:
                time.sleep(ahead)
            begin = time.perf_counter()
            edge.infer(self.h, edge.fit(self.h, pictures[turn % len(pictures)]))
            end = time.perf_counter()
            latency.append(1e3 * (end - begin))
            behind = max(0, int((end - start) / period) - turn)
            missed += behind > 0
            dropped += min(behind - 1, count - 1 - turn) if behind else 0
            turn += max(1, behind)
        took = time.perf_counter() - start
        return {
            "fps": fps,
            "fps_paced": round(len(latency) / max(took, count * period), 2),
            "end_to_end_ms": summary(latency),
            "deadline_misses": missed,
            "dropped_frames": dropped,
        }

    def accuracy(self, reference: bool) -> dict[str, dict[str, float]]:
        depths: list[dict[str, float]] = []

        def found(index: int, name: str, sample: Sample) -> npt.NDArray[np.float32] | None:
            mask, depth = self.answer(name, sample)
            if depth is not None:
                depths.append(self._depth(index, sample, depth, reference))
            return mask

        scores = {"mask": mask_scores(self.samples, found)}
        if depths:
            scores["depth"] = means(depths)
        return {part: values for part, values in scores.items() if values}

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

    def gated(self, level: float, max_age_ms: float) -> dict[str, Any]:
        """Skipped share and mask scores behind a gate, samples FRAME_MS apart."""
        gate = Gate(self.h, level, max_age_ms)
        self.scene = ""

        def found(index: int, name: str, sample: Sample) -> npt.NDArray[np.float32] | None:
            if self.show(name, sample):
                gate.reset()
            frame = edge.fit(self.h, sample.fg_bg)
            return as_float(gate.infer(frame, FRAME_MS * index))[0]

        scores = mask_scores(self.samples, found)
        share = round(gate.skipped / gate.seen, 4)
        return {"level": level, "max_age_ms": max_age_ms, "skipped_share": share, "mask": scores}

    def overhead(self, count: int) -> dict[str, float]:
        """What `edge.infer` adds to the backend's own call, in turn: medians in milliseconds.

        Both get the next frame at network size; the backend's call computes what it was left.
        """
        frames = [edge.fit(self.h, sample.fg_bg) for _, sample in self.samples[:16]]
        self.show(*self.samples[0])
        ours: list[float] = []
        backends: list[float] = []
        for number in range(count):
            frame = frames[number % len(frames)]
            start = time.perf_counter()
            edge.infer(self.h, frame)
            middle = time.perf_counter()
            self.h.backend.run(number % SLOTS)
            end = time.perf_counter()
            ours.append(1e3 * (middle - start))
            backends.append(1e3 * (end - middle))
        infer, run = median(ours), median(backends)
        return {"infer_ms": infer, "backend_ms": run, "n": count, "share": infer / run - 1}

    def stages(self, count: int) -> dict[str, list[float]]:
        """Milliseconds of copying to a device, computing, and copying back, by the device's clock;
        nothing where frames stay with the CPU."""
        self.show(*self.samples[0])
        if not isinstance(self.h.backend, Staged):
            return {}
        return self.h.backend.stages(count)

    def answers(self, indices: list[int]) -> list[Answer]:
        """Mask and depth of some samples, for people to look at."""
        return [self.answer(*self.samples[index]) for index in indices]

    def energy(self) -> dict[str, dict[str, float]]:
        """What each meter of the machine counted while frames were at work back to back, the
        machine's idle share included: millijoules a frame and watts."""
        return {
            name: {
                "mj_a_frame": round(1e3 * joules / self.counted, 4),
                "watts": round(joules / self.counted_s, 3),
            }
            for name, joules in self.joules.items()
        }

    def frames(self, count: int) -> dict[str, list[float]]:
        """Milliseconds of each stage of the next frames. Changing the background between scenes is
        not a frame's work: neither its time nor its energy counts."""
        times: dict[str, list[float]] = {"preprocess": [], "latency": [], "postprocess": []}
        while count:
            here = min(count, LINGER - self.at % LINGER)
            scene = self.scenes[self.at // LINGER % len(self.scenes)]
            self.show(*scene[0])
            start = time.perf_counter()
            before = {name: read() for name, read in self.meters.items()}
            for number in range(self.at, self.at + here):
                self._timed(scene[number % len(scene)][1], times)
            for name, read in self.meters.items():
                self.joules[name] += read() - before[name]
            self.counted += here
            self.counted_s += time.perf_counter() - start
            count -= here
            self.at += here
        return times

    def _timed(self, sample: Sample, times: dict[str, list[float]]) -> None:
        marks = [time.perf_counter()]
        fitted = edge.fit(self.h, sample.fg_bg)
        marks.append(time.perf_counter())
        mask, depth = edge.infer(self.h, fitted)
        marks.append(time.perf_counter())
        if mask is not None:
            blobs(mask, depth, sample.fg_bg.shape[:2])
        marks.append(time.perf_counter())
        for stage, begin, end in zip(times, marks, marks[1:], strict=False):
            times[stage].append(1e3 * (end - begin))
