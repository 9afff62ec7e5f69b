"""What hides a place of which the background is only a guess, and whether it has left."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.samples.sample import Image
from edge.scene.outlines import ghosts

HOLD_S, UNLIKE_HOLD_S = 1.0, 8.0
"""Time for which what hid a place has left before the place is learned: where it shows the guess,
and where it is only more like it than like what hid it."""
SHOWN = 0.42
"""Share of what is hidden that shows the guess, from which nothing hides it: 0.5 to 0.9 of rendered
cars and people who left, at most 0.2 where they stand and 0.4 where they have gone half."""
STANDS, LEFT, STILL = 0.7, 0.1, 0.9
"""Correlation with what hid it from which that is still there; that by which a place looks more
like the guess; and that of two looks at a place where nothing moves."""
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
        guess: the same, the background that was guessed.
        box: of it.
        place: its box with a rim.
        hidden: bool [H, W], which pixels are a guess.

    Attributes:
        stands: whether it was there at the last look, seen by the mask or not.
    """

    def __init__(self, image: Image, guess: Image, box: Box, place: Place, hidden: Bools) -> None:
        self.box, self.place, self.stands = box, place, True
        self.hidden = np.zeros_like(hidden)
        self.hidden[place] = hidden[place]
        self._hid, self._guess = _grey(image[place]), _grey(guess[place])
        self._last = self._hid
        self._shown_since: float | None = None
        self._unlike_since: float | None = None
        self._shown = False

    def learnable(self, image: Image, same: Bools, at: float) -> Bools:
        """Which of the hidden pixels are seen now, bool [H, W].

        Those that show the guess, when enough of them do. Where another light shows other
        structures, all of them, when the place only looks more like the guess than like what hid
        it.

        Args:
            image: uint8 [H, W, 3] BGR.
            same: bool [H, W], where it shows the guess.
            at: its time in seconds.
        """
        now = _grey(image[self.place])
        like = _alike(now, self._hid)
        self.stands = like > STANDS
        unlike = _alike(now, self._guess) > like + LEFT and _alike(now, self._last) > STILL
        self._last = now
        self._shown_since = _since(self._shown_since, shows(same, self.hidden, self.box), at)
        self._unlike_since = _since(self._unlike_since, unlike, at)
        if self._shown_since is not None and at - self._shown_since >= HOLD_S:
            self._shown = True
            return self.hidden & same
        if (
            not self._shown
            and self._unlike_since is not None
            and at - self._unlike_since >= UNLIKE_HOLD_S
        ):
            return self.hidden
        return np.zeros_like(self.hidden)


def standing(image: Image, guess: Image, other: Bools) -> Bools:
    """What stands where an image shows something else than a guess, with a rim, bool [H, W]: its
    outline is an edge of the image and none of the guess."""
    square = np.ones((5, 5), np.uint8)
    near = cv2.dilate(other.view(np.uint8), square).view(np.bool_)
    solid = cv2.morphologyEx(other.view(np.uint8), cv2.MORPH_OPEN, square)
    labels = cv2.connectedComponents(solid, connectivity=4)[1]
    found = np.unique(labels[ghosts(image, guess, near)])
    stands = np.isin(labels, found[found > 0])
    return np.asarray(cv2.dilate(stands.view(np.uint8), square) > 0)


def _since(before: float | None, holds: bool, at: float) -> float | None:
    """Since when something holds."""
    return None if not holds else at if before is None else before


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
