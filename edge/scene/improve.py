"""A live camera's background and its spread get better in its first minutes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import cv2

from edge.samples.sample import Image
from edge.scene.background import AGREES, Background
from edge.scene.gather import Thinned

AGES_S = (20.0, 60.0, 150.0, 300.0)
"""Seconds after which the background is estimated anew from all images since the beginning."""
EVERY_S = 0.5
"""Time between two images that are kept at first; less often as more are held."""

Estimate = Callable[[Sequence[Image]], Background]


class BackgroundImprover:
    """Collects images of a live source and estimates its background anew beside the loop.

    Args:
        estimate: From images to a background; runs in a thread.
        ages: Seconds after which it is estimated anew.
    """

    def __init__(self, estimate: Estimate, ages: Sequence[float] = AGES_S) -> None:
        self._estimate = estimate
        self._images = Thinned()
        self._ages = list(ages)
        self._started: float | None = None
        self._last = float("-inf")
        self._pool = ThreadPoolExecutor(1, "edge-background")
        self._pending: Future[Background] | None = None

    @property
    def done(self) -> bool:
        """Whether the background is as good as it will be."""
        return not self._ages and self._pending is None

    def add(self, image: Image, at: float) -> None:
        """Take an image of the camera, uint8 [H, W, 3] BGR, at a time in seconds."""
        if self._started is None:
            self._started = at
        if self.done or at - self._last < EVERY_S:
            return
        self._last = at
        if self._images.wants_next():
            self._images.add(image.copy())
        if self._ages and self._pending is None and at - self._started >= self._ages[0]:
            self._ages.pop(0)
            self._pending = self._pool.submit(self._estimate, list(self._images.images))

    def take(self) -> Background | None:
        """The new background when it is ready, once."""
        if self._pending is None or not self._pending.done():
            return None
        pending, self._pending = self._pending, None
        if self.done:
            self._images = Thinned()
        return pending.result()

    def close(self, wait: bool = True) -> None:
        """Estimate no more; wait for the thread, or leave it to itself."""
        self._ages = []
        self._pool.shutdown(wait, cancel_futures=True)


def changed_share(before: Background, after: Background) -> float:
    """Share of the pixels in which two backgrounds differ."""
    return float((cv2.absdiff(before.image, after.image).max(2) > AGREES).mean())
