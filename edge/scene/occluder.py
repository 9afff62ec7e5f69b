"""What hides a place of which the background is only a guess, and whether it has left."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.samples.sample import Image

HOLD_S = 1.0
"""Time for which what hid a place has left before what shows the guess there is learned."""
SHOWN = 0.42
"""Share of what is hidden that shows the guess, from which nothing hides it: 0.5 to 0.9 of rendered
cars and people who left, at most 0.2 where they stand and 0.4 where they have gone half."""
STANDS = 0.7
"""Correlation with what hid it from which that is still there."""
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Box = tuple[int, int, int, int]
"""Left, top, width and height in pixels."""
Place = tuple[slice, slice]
"""Rows and columns."""


class Occluder:
    """What hides a place.

    Args:
        image: uint8 [H, W, 3] BGR, in which it does.
        box: of it.
        place: its box with a rim.
        hidden: bool [H, W], which pixels are a guess.

    Attributes:
        stands: whether it was there at the last look, seen by the mask or not.
    """

    def __init__(self, image: Image, box: Box, place: Place, hidden: Bools) -> None:
        self.box, self.place, self.stands = box, place, True
        self.hidden = np.zeros_like(hidden)
        self.hidden[place] = hidden[place]
        self._hid = _grey(image[place])
        self._shown_since: float | None = None

    def learnable(self, image: Image, same: Bools, at: float) -> Bools:
        """Which of the hidden pixels are seen now, bool [H, W]: those that show the guess, when
        enough of them do. The others may be somebody who stands there.

        Args:
            image: uint8 [H, W, 3] BGR.
            same: bool [H, W], where it shows the guess.
            at: its time in seconds.
        """
        self.stands = _alike(_grey(image[self.place]), self._hid) > STANDS
        if not shows(same, self.hidden, self.box):
            self._shown_since = None
        elif self._shown_since is None:
            self._shown_since = at
        if self._shown_since is None or at - self._shown_since < HOLD_S:
            return np.zeros_like(self.hidden)
        return self.hidden & same


def shows(same: Bools, hidden: Bools, box: Box) -> bool:
    """Whether nothing stands in a box that hides something: enough of it shows the background."""
    left, top, wide, tall = box
    inside = np.s_[max(top, 0) : max(top + tall, 0), max(left, 0) : max(left + wide, 0)]
    where = hidden[inside]
    return bool(where.any()) and float(same[inside][where].mean()) > SHOWN


def _grey(image: Image) -> Floats:
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return np.asarray(cv2.blur(grey, (3, 3)), np.float32)


def _alike(a: Floats, b: Floats) -> float:
    """Correlation of two planes, -1 to 1: in any light; 0 where one is plain."""
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / max(float(np.sqrt((a * a).sum() * (b * b).sum())), 1e-6))
