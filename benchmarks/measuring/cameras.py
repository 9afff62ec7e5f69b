"""How many cameras a machine can take: many open builds, each camera's frames due at their times.

A frame counts from the decoded picture at the camera's size to its blobs: resized, laid over the
background and inferred, and the mask taken apart. Every camera has a background, and so a compiled
graph, of its own. Each core gets a process with one thread and its share of the cameras.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

import edge
from edge.benchmarks.measuring.worker import load_samples
from edge.loop.blobs import blobs

CAMERA = (480, 640)
"""Height and width of a camera's picture."""
PICTURES = 16
"""Different pictures that a camera shows in turn."""


@dataclass(frozen=True)
class CamerasJob:
    """One process's share: `count` cameras at `fps`, on pickled samples."""

    build: Path
    count: int
    fps: float
    samples: Path
    cuda: str = "auto"

    @property
    def brief(self) -> bool:
        return False

    def open(self) -> CamerasWorker:
        return CamerasWorker(self)


class CamerasWorker:
    """Open handles, one per camera, and the decoded pictures that they are shown."""

    def __init__(self, job: CamerasJob) -> None:
        cv2.setNumThreads(1)
        self.job = job
        scenes: dict[str, list[Any]] = {}
        for name, sample in load_samples(job.samples):
            scenes.setdefault(name, []).append(sample)
        shown = list(scenes.values())
        self.cameras: list[tuple[edge.Stabilizer, list[npt.NDArray[np.uint8]]]] = []
        decoded = {}
        for number in range(job.count):
            scene = number % len(shown)
            if scene not in decoded:
                decoded[scene] = [self._decoded(s.fg_bg) for s in shown[scene][:PICTURES]]
            h = edge.open(job.build, 1, cuda=job.cuda)
            empty = edge.fit(h, self._decoded(shown[scene][0].bg))
            self.cameras.append((edge.Stabilizer(h, empty), decoded[scene]))

    @staticmethod
    def _decoded(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return np.asarray(cv2.resize(picture, CAMERA[::-1]), np.uint8)

    def describe(self) -> dict[str, Any]:
        return {"cameras": len(self.cameras)}

    def paced(self, start: float, seconds: float) -> dict[str, Any]:
        """Work off the frames of all cameras as they fall due.

        start: `time.time()` of the first frame. A frame is late if it is done only after the next
        one of its camera was due. Cameras are out of step with each other, as real ones are.
        """
        period, count = 1 / self.job.fps, len(self.cameras)
        due = sorted(
            (turn * period + number / count * period, number, turn)
            for turn in range(round(seconds / period))
            for number in range(count)
        )
        late, busy, stages = 0, 0.0, {"resize": 0.0, "infer": 0.0, "blobs": 0.0}
        for offset, number, turn in due:
            if (wait := start + offset - time.time()) > 0:
                time.sleep(wait)
            camera, pictures = self.cameras[number]
            marks = [time.perf_counter()]
            fitted = edge.fit(camera.h, pictures[turn % len(pictures)])
            marks.append(time.perf_counter())
            mask, depth = camera.infer(fitted)
            marks.append(time.perf_counter())
            if mask is not None:
                blobs(mask, depth, CAMERA)
            marks.append(time.perf_counter())
            for stage, begin, end in zip(stages, marks, marks[1:], strict=False):
                stages[stage] += end - begin
            busy += marks[-1] - marks[0]
            late += time.time() > start + offset + period
        return {"frames": len(due), "late": late, "busy_s": busy, "stages_s": stages}
