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
STILL_S, STILLS, MOVED = 30.0, 3, 1.5
"""Time of a mean, means that must be alike before all of a place is learned, and grey levels by
which four pixels in a square change when somebody shifts their weight."""
CONTRAST = 10.0
"""Grey levels by which a guess differs from what is known to stand before it: no guess is surer,
and a network does not see what looks like the ground behind it."""
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
        thing: bool [H, W], the mask when it was last seen surely.

    Attributes:
        thing: which of the hidden pixels it covers.
        stands: whether it was there at the last look, seen by the mask or not.
    """

    def __init__(self, image: Image, box: Box, place: Place, hidden: Bools, thing: Bools) -> None:
        self.box, self.place, self.stands = box, place, True
        self.hidden = np.zeros_like(hidden)
        self.hidden[place] = hidden[place]
        self._hid = _grey(image[place])
        self.thing = self.hidden & thing
        self._shown_since: float | None = None
        self._left = False
        self._means: list[Floats] = []
        self._looks: list[Floats] = []
        self._looks_since = 0.0

    def learnable(self, image: Image, same: Bools, at: float) -> Bools:
        """Which of the hidden pixels are seen now, bool [H, W].

        Once, when what hid them has left, those that show the guess; the others may be somebody
        who stands there. All of them when nothing at all has moved there for long.

        Args:
            image: uint8 [H, W, 3] BGR.
            same: bool [H, W], where it shows the guess.
            at: its time in seconds.
        """
        now = _grey(image[self.place])
        self.stands = _alike(now, self._hid) > STANDS
        if not self.stands and self._still(now, at):
            return np.array(self.hidden)
        if not shows(same, self.hidden, self.box):
            self._shown_since = None
        elif self._shown_since is None:
            self._shown_since = at
        if self._left or self._shown_since is None or at - self._shown_since < HOLD_S:
            return np.zeros_like(self.hidden)
        self._left = True
        return self.hidden & same

    def _still(self, now: Floats, at: float) -> bool:
        """Whether the means of the last times are alike: nobody stands so still."""
        if not self._looks:
            self._looks_since = at
        self._looks.append(now)
        if at - self._looks_since < STILL_S:
            return False
        mean = np.mean(self._looks, 0)
        self._looks = []
        if self._means and _moved(mean, self._means[0]):
            self._means = []
        self._means.append(mean)
        return len(self._means) >= STILLS


def shows(same: Bools, hidden: Bools, box: Box) -> bool:
    """Whether nothing stands in a box that hides something: enough of it shows the background."""
    left, top, wide, tall = box
    inside = np.s_[max(top, 0) : max(top + tall, 0), max(left, 0) : max(left + wide, 0)]
    where = hidden[inside]
    return bool(where.any()) and float(same[inside][where].mean()) > SHOWN


def apart(guess: Image, image: Image, thing: Bools) -> Image:
    """A guess that differs by CONTRAST from what is known to stand before it.

    Args:
        guess: uint8 [H, W, 3] BGR.
        image: the same, with the thing.
        thing: bool [H, W], where that is.
    """
    differs = cv2.blur(guess.astype(np.float32) - image, (5, 5)).mean(2)[thing]
    more = np.where(differs < 0, -1, 1) * np.maximum(CONTRAST - np.abs(differs), 0)
    made: Image = guess.copy()
    made[thing] = np.rint(np.clip(guess[thing] + more[:, None], 0, 255))
    return made


def _moved(a: Floats, b: Floats) -> bool:
    """Whether two planes differ in more than their brightness."""
    change = a - b
    moved = np.abs(change - np.median(change)) > MOVED
    return bool(cv2.erode(moved.view(np.uint8), np.ones((2, 2), np.uint8)).any())


def _grey(image: Image) -> Floats:
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return np.asarray(cv2.blur(grey, (3, 3)), np.float32)


def _alike(a: Floats, b: Floats) -> float:
    """Correlation of two planes, -1 to 1: in any light; 0 where one is plain."""
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / max(float(np.sqrt((a * a).sum() * (b * b).sum())), 1e-6))
