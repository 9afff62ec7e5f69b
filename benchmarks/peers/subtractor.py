"""Background subtractors as peers: each learns an empty scene and masks frames."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from edge.benchmarks.measuring.rounds import FrameTimes
from edge.benchmarks.measuring.samples import load_samples, score_masks
from edge.benchmarks.peers.peer import PeerInfo, PeerJob, PeerRequest, register
from edge.benchmarks.reporting.report import MaskScores
from edge.samples.sample import Image, Sample

LEARNED = 50
"""How often an adaptive subtractor gets the empty scene before its first frame."""


class Subtractor(Protocol):
    """A background subtractor."""

    def learn(self, bg: Image) -> None:
        """Take a new empty scene."""

    def apply(self, frame: Image) -> npt.NDArray[np.uint8]:
        """Return the mask of a frame at its own size, uint8 [H, W]; 255 is foreground."""


Create = Callable[[], Subtractor]
AnyCreate = TypeVar("AnyCreate", bound=Create)
SUBTRACTORS: dict[str, Create] = {}
"""Registered subtractors by name."""


def subtractor(name: str) -> Callable[[AnyCreate], AnyCreate]:
    """Register what creates a subtractor: a class or function of a module."""

    def add(create: AnyCreate) -> AnyCreate:
        SUBTRACTORS[name] = create

        def jobs(request: PeerRequest) -> Iterator[PeerJob]:
            for size in request.sizes if request.subtractors else ():
                yield SubtractorJob(name, create, size, request.threads, request.samples)

        register(jobs)
        return create

    return add


class Adaptive:
    """One of OpenCV's adaptive subtractors, with its own defaults."""

    def __init__(self, create: Callable[[], Any]) -> None:
        self.create = create

    def learn(self, bg: Image) -> None:
        self.model = self.create()
        for _ in range(LEARNED):
            self.model.apply(bg)

    def apply(self, frame: Image) -> npt.NDArray[np.uint8]:
        return np.asarray(self.model.apply(frame), np.uint8)


@dataclass(frozen=True)
class SubtractorJob:
    """A subtractor at (height, width), on pickled samples."""

    name: str
    create: Create
    imgsz: tuple[int, int]
    threads: int
    samples: Path

    def open(self) -> SubtractorWorker:
        return SubtractorWorker(self)


class SubtractorWorker:
    """Gives a subtractor the scenes and their frames."""

    def __init__(self, job: SubtractorJob) -> None:
        cv2.setNumThreads(job.threads)
        self.job = job
        self.samples = load_samples(job.samples)
        self.subtractor = job.create()
        self.scene, self.next = "", 0
        height, width = job.imgsz
        self.info = PeerInfo(f"{job.name}-{width}x{height}", "opencv", "uint8", job.imgsz)

    @cached_property
    def _fitted(self) -> list[tuple[Image, Image]]:
        return [(self._fit(s.bg), self._fit(s.fg_bg)) for _, s in self.samples]

    def _fit(self, image: Image) -> Image:
        size = self.job.imgsz[::-1]
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)

    def score(self) -> MaskScores | None:
        """A subtractor learns each empty scene, as a build gets it; its shadows are background."""

        def mask_of(index: int, name: str, sample: Sample) -> npt.NDArray[np.float32]:
            if name != self.scene:
                self.subtractor.learn(self._fit(sample.bg))
                self.scene = name
            mask = self.subtractor.apply(self._fit(sample.fg_bg))
            return np.asarray(mask == 255, np.float32)

        return score_masks(self.samples, mask_of)

    def frames(self, count: int) -> FrameTimes:
        times = FrameTimes()
        for _ in range(count):
            name, _ = self.samples[self.next]
            bg, frame = self._fitted[self.next]
            self.next = (self.next + 1) % len(self.samples)
            if name != self.scene:
                self.subtractor.learn(bg)
                self.scene = name
            start = time.perf_counter()
            self.subtractor.apply(frame)
            times.preprocess.append(0.0)
            times.latency.append(1e3 * (time.perf_counter() - start))
        return times
