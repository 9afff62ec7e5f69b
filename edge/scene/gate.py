"""Skip frames in which nothing changed: the last answer stands for them."""

from __future__ import annotations

import time

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import UsageError
from edge.runtime.handle import Handle, Outputs, infer

CELL = 8
"""Side of the cells, in pixels of the build's size, whose mean colours are compared."""
LEVEL = 5.0
"""Grey levels by which a cell's mean must differ: several times what sensor noise leaves of it."""
MAX_AGE_MS = 1000.0


class Gate:
    """Frames of one camera, inferred only where they differ from the last inferred one.

    level: the largest difference of a cell's mean, in grey levels of any channel, that still
        counts as nothing. A frame that is the same byte for byte always does, and its answer is
        exact.
    max_age_ms: an answer older than this is never given again.
    """

    def __init__(self, h: Handle, level: float = LEVEL, max_age_ms: float = MAX_AGE_MS) -> None:
        if level < 0 or max_age_ms < 0:
            raise UsageError(
                f"gate level {level} and max_age_ms {max_age_ms}: expected at least 0 each"
            )
        self.h, self.level, self.max_age_ms = h, level, max_age_ms
        self.seen = self.skipped = 0
        self._last: npt.NDArray[np.uint8] | None = None
        self._at = 0.0
        self._answer: Outputs = (None, None)

    def reset(self) -> None:
        """Forget the last answer; call it after `set_background`."""
        self._last = None

    def infer(self, frame: npt.NDArray[np.uint8], at_ms: float | None = None) -> Outputs:
        """Mask and depth of a frame as `edge.infer` gives them, or those of the last inferred.

        at_ms: when the frame was taken, on any clock that never goes back; None is now.
        """
        now = 1e3 * time.monotonic() if at_ms is None else at_ms
        small = np.asarray(
            cv2.resize(
                frame,
                (max(1, frame.shape[1] // CELL), max(1, frame.shape[0] // CELL)),
                interpolation=cv2.INTER_AREA,
            ),
            np.uint8,
        )
        self.seen += 1
        if (
            self._last is not None
            and now - self._at <= self.max_age_ms
            and cv2.norm(small, self._last, cv2.NORM_INF) <= self.level
        ):
            self.skipped += 1
            return self._answer
        self._answer = infer(self.h, frame)
        self._last, self._at = small, now
        return self._answer
