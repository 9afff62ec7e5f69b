"""Skip inference of frames without change: the last result stands for them."""

from __future__ import annotations

import time

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import UsageError
from edge.runtime.handle import Handle, Outputs, check, infer

CELL = 8
"""Side of the cells, in pixels of the build's size, whose mean colours are compared."""
LEVEL = 5.0
"""Grey levels by which a cell's mean must differ: several times what sensor noise leaves of it."""
MAX_AGE_MS = 1000.0


class Gate:
    """Infers a frame of one camera only where it differs from the last inferred one.

    Args:
        h: an open build with its background set.
        level: largest difference of a cell's mean, in grey levels of any channel, that counts as no
            change. For a frame that is the same byte for byte the result is exact.
        max_age_ms: age in milliseconds after which a result is not returned again.

    Attributes:
        seen: frames so far.
        skipped: frames of these that were not inferred.
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
        self._outputs: Outputs = (None, None)

    def reset(self) -> None:
        """Forget the last result; call it after `set_background`."""
        self._last = None

    def infer(self, frame: npt.NDArray[np.uint8], at_ms: float | None = None) -> Outputs:
        """Return mask and depth of a frame, or those of the last inferred one.

        Args:
            frame: uint8 [H, W, 3] BGR of the build's size.
            at_ms: when the frame was taken, in milliseconds of any monotonic clock; None is now.

        Returns:
            Mask and depth as `edge.infer` gives them.

        Raises:
            UsageError: the frame has another size or dtype.
        """
        check(self.h, frame, "frame")
        now = 1e3 * time.monotonic() if at_ms is None else at_ms
        size = (max(1, frame.shape[1] // CELL), max(1, frame.shape[0] // CELL))
        cells = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
        self.seen += 1
        if (
            self._last is not None
            and now - self._at <= self.max_age_ms
            and cv2.norm(cells, self._last, cv2.NORM_INF) <= self.level
        ):
            self.skipped += 1
            return self._outputs
        self._outputs = infer(self.h, frame)
        self._last, self._at = cells, now
        return self._outputs
