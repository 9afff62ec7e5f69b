"""Detection of a live source that repeats one image."""

from __future__ import annotations

import time

import numpy as np

from edge.samples.sample import Image

FROZEN_S = 10.0
"""A live image that stays the same, byte for byte, for this long is frozen: sensors are noisy."""


class FrozenDetector:
    """Whether the images of a live source stay byte-identical for `seconds`."""

    def __init__(self, seconds: float = FROZEN_S) -> None:
        self.seconds = seconds
        self._last: Image | None = None
        self._since = 0.0
        self._frozen = False

    def update(self, image: Image) -> bool | None:
        """Take the next image.

        Returns:
            True when the source becomes frozen, False when it no longer is, None without a change.
        """
        now = time.monotonic()
        if not self._same(image):
            self._last, self._since = image, now
        frozen = now - self._since >= self.seconds
        if frozen == self._frozen:
            return None
        self._frozen = frozen
        return frozen

    def _same(self, image: Image) -> bool:
        last = self._last
        if last is None or last.shape != image.shape:
            return False
        # A few pixels tell noisy images apart.
        grid = (slice(None, None, 16), slice(None, None, 16))
        return np.array_equal(last[grid], image[grid]) and np.array_equal(last, image)
