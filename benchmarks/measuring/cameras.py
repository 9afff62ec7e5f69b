"""How many cameras a machine serves: many open builds, each camera's frames due at their times.

A frame counts from the decoded image at the camera's size to its blobs: resize, registration to the
background, inference, blobs. Every camera has a background of its own. Each core gets a process
with one thread and its share of the cameras, which share a compiled graph.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

import edge
from edge.benchmarks.measuring.process import process
from edge.benchmarks.measuring.samples import load_samples
from edge.benchmarks.reporting.report import Cameras
from edge.runtime.cores import usable_cores
from edge.samples.sample import Image, Sample
from edge.things.find import find_things

CAMERA = (480, 640)
"""Height and width of a camera's frame."""
IMAGES = 16
"""Different frames that a camera repeats."""
CAMERAS_S = 6.0
"""Seconds for which cameras are run."""


@dataclass(frozen=True)
class CamerasJob:
    """One process's share: `count` cameras at `fps`, on pickled samples."""

    build: Path
    count: int
    fps: float
    samples: Path
    cuda: str = "auto"

    def open(self) -> CamerasWorker:
        return CamerasWorker(self)


@dataclass(frozen=True)
class ShareTimes:
    """What one process measured. late: frames finished after the camera's next one was due;
    stages_s: seconds by stage."""

    frames: int
    late: int
    busy_s: float
    stages_s: dict[str, float]


class CamerasWorker:
    """Open handles, one per camera, and the decoded frames that they get."""

    def __init__(self, job: CamerasJob) -> None:
        cv2.setNumThreads(1)
        self.job = job
        by_scene: dict[str, list[Sample]] = {}
        for name, sample in load_samples(job.samples):
            by_scene.setdefault(name, []).append(sample)
        scenes = list(by_scene.values())
        self.cameras: list[tuple[edge.Stabilizer, list[Image]]] = []
        decoded: dict[int, list[Image]] = {}
        for number in range(job.count):
            scene = number % len(scenes)
            if scene not in decoded:
                decoded[scene] = [self._decoded(s.fg_bg) for s in scenes[scene][:IMAGES]]
            h = edge.open(job.build, 1, cuda=job.cuda)
            first = scenes[scene][0]
            background = edge.fit(h, self._decoded(first.bg))
            spread = None if first.spread is None else edge.fit(h, self._decoded(first.spread))
            self.cameras.append((edge.Stabilizer(h, background, spread), decoded[scene]))

    @staticmethod
    def _decoded(image: Image) -> Image:
        return np.asarray(cv2.resize(image, CAMERA[::-1]), np.uint8)

    def paced(self, start: float, seconds: float) -> ShareTimes:
        """Process the frames of all cameras as they fall due.

        Cameras are out of step with each other, as real ones are.

        Args:
            start: `time.time()` at which the first frame is due.
            seconds: How long frames fall due.
        """
        period, count = 1 / self.job.fps, len(self.cameras)
        due = sorted(
            (number_of_frame * period + number / count * period, number, number_of_frame)
            for number_of_frame in range(round(seconds / period))
            for number in range(count)
        )
        late, busy, stages = 0, 0.0, {"resize": 0.0, "infer": 0.0, "blobs": 0.0}
        for offset, number, number_of_frame in due:
            if (wait := start + offset - time.time()) > 0:
                time.sleep(wait)
            camera, images = self.cameras[number]
            marks = [time.perf_counter()]
            fitted = edge.fit(camera.h, images[number_of_frame % len(images)])
            marks.append(time.perf_counter())
            mask, depth = camera.infer(fitted)
            marks.append(time.perf_counter())
            if mask is not None:
                find_things(mask, depth, CAMERA)
            marks.append(time.perf_counter())
            for stage, begin, end in zip(stages, marks, marks[1:], strict=False):
                stages[stage] += end - begin
            busy += marks[-1] - marks[0]
            late += time.time() > start + offset + period
        return ShareTimes(len(due), late, busy, stages)


def run_cameras(build: Path, count: int, fps: float, samples: Path, cuda: str) -> Cameras:
    """Run `count` cameras at once, a process for each core."""
    cores = min(usable_cores(), count)
    shares = [len(range(core, count, cores)) for core in range(cores)]
    with ExitStack() as stack:
        workers = [
            stack.enter_context(process(CamerasJob(build, share, fps, samples, cuda)))
            for share in shares
        ]
        start = time.time() + 0.5
        waits = [worker.start(CamerasWorker.paced, start, CAMERAS_S) for worker in workers]
        parts = [wait() for wait in waits]
        for worker in workers:
            worker.end()
    total = sum(part.frames for part in parts)
    return Cameras(
        count=count,
        fps=fps,
        size=CAMERA,
        frames=total,
        late=sum(part.late for part in parts),
        busy_share=round(sum(part.busy_s for part in parts) / (cores * CAMERAS_S), 4),
        cores=cores,
        ms_a_frame={
            stage: round(1e3 * sum(part.stages_s[stage] for part in parts) / total, 4)
            for stage in parts[0].stages_s
        },
        rss_peak_mb=round(sum(worker.rss_peak_mb for worker in workers), 1),
    )
