"""Lay the frames of a camera that trembles over its empty scene before they are inferred."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.image import resize_image, translate
from edge.runtime.handle import Handle, Outputs, check, infer, set_background
from edge.samples.sample import Image

Field = npt.NDArray[np.float32]

REACH = 4 / 224
"""A camera is followed by at most such a share of the picture's shorter side; farther away it is
another view."""
SIDES = (56, 112)
"""Shorter sides of the pictures in which the offset is found, one after the other."""
AROUND = 9
"""Side of the surroundings, in pixels, whose brightness and contrast are evened out."""
PLAIN = 4.0
"""Grey levels of contrast below which a place is plain and says nothing about where it is."""
MISFIT = 0.5
"""Difference, in contrasts, at which a pixel counts a quarter."""
ROUNDS, CLOSE = 6, 0.02
"""Steps at each size, and the step, in its pixels, after which no more are taken."""
BETTER = 1.12
"""How much better a frame must fit where it is laid than where it is. A whole pixel of 224 makes a
seventh or more, half a pixel, which networks bear, 3 to 10 %: laying it over would blur it for
nothing."""
INSIDE = np.s_[4:-4, 4:-4]
"""Pixels that stay in the picture when it is moved."""


def evened(grey: npt.NDArray[np.uint8]) -> Field:
    """A grey picture, uint8 [H, W], as float32: every place with the mean 0 and, unless it is
    plain, the contrast 1 of its surroundings. Light does not change it."""
    x = grey.astype(np.float32)
    side = (AROUND, AROUND)
    mean = cv2.blur(x, side)
    spread = cv2.blur(x * x, side) - mean * mean
    return np.asarray((x - mean) / np.sqrt(np.maximum(spread, 0) + PLAIN**2), np.float32)


def smaller(picture: Image) -> list[npt.NDArray[np.uint8]]:
    """A picture in grey at each of SIDES that it has, in their order."""
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    height, width = grey.shape
    least = min(height, width)
    found: list[npt.NDArray[np.uint8]] = []
    for side in reversed(SIDES):
        if side <= least:
            grey = resize_image(grey, round(height * side / least), round(width * side / least))
            found.insert(0, grey)
    return found


class Level:
    """The empty scene in grey at a part of its size, and what says how far a frame lies off it."""

    def __init__(self, bg: npt.NDArray[np.uint8], factor: float) -> None:
        self.factor = factor
        even = evened(bg)
        self.bg = even[INSIDE]
        self.dx = np.asarray(cv2.Sobel(even, cv2.CV_32F, 1, 0, scale=1 / 8)[INSIDE], np.float32)
        self.dy = np.asarray(cv2.Sobel(even, cv2.CV_32F, 0, 1, scale=1 / 8)[INSIDE], np.float32)
        # A little stiffness: what noise alone says must not move a plain scene.
        self.stiff = 1e-3 * even.size

    def _off(self, seen: Field, x: float, y: float) -> tuple[Field, Field]:
        """What is wrong with an offset, pixel by pixel, and how much each counts, up to 1."""
        wrong = translate(seen, -x, -y)[INSIDE] - self.bg
        weight = 1 / (1 + (wrong / MISFIT) ** 2) ** 2
        return wrong, np.asarray(weight, np.float32)

    def nearer(
        self, grey: npt.NDArray[np.uint8], offset: tuple[float, float]
    ) -> tuple[float, float]:
        """A better offset of a frame, in grey at this size, in pixels of its full one; (0, 0) if
        none is clearly better than that."""
        seen = evened(grey)
        x, y = (self.factor * pixels for pixels in offset)
        for _ in range(ROUNDS):
            wrong, weight = self._off(seen, x, y)
            wx, wy = weight * self.dx, weight * self.dy
            xx, xy = float((wx * self.dx).sum()) + self.stiff, float((wx * self.dy).sum())
            yy = float((wy * self.dy).sum()) + self.stiff
            ex, ey = float((wx * wrong).sum()), float((wy * wrong).sum())
            held = xx * yy - xy * xy
            step_x, step_y = (yy * ex - xy * ey) / held, (xx * ey - xy * ex) / held
            x, y = x - step_x, y - step_y
            if max(abs(step_x), abs(step_y)) < CLOSE:
                break
        here, there = (float(self._off(seen, *at)[1].mean()) for at in ((0.0, 0.0), (x, y)))
        if there < BETTER * here:
            return 0.0, 0.0
        return x / self.factor, y / self.factor


class Stabilizer:
    """Infers frames where the camera was when its empty scene was taken.

    The offset between `bg` and a frame is found anew in every frame, by the Lucas-Kanade method
    with the gradients of `bg` (Baker and Matthews 2004: inverse compositional), first coarsely and
    then finer, each pixel counted the less the worse it fits, as what is new in the scene does. A
    turn of the camera is taken for a shift, which it nearly is when it is small.

    h: an open build; bg: its empty scene, uint8 [H, W, 3] BGR of the build's size, which is set. A
    build smaller than 56 pixels has too little to hold on to: its frames are left where they are.
    moved: by how many pixels the last frame was off, to the right and down.
    """

    def __init__(self, h: Handle, bg: Image) -> None:
        self.h = h
        self.moved = (0.0, 0.0)
        self.set_background(bg)

    def set_background(self, bg: Image) -> None:
        """Take a new empty scene, as `edge.set_background` does."""
        set_background(self.h, bg)
        self._reach = REACH * min(bg.shape[:2])
        self._levels = levels(bg)

    def infer(self, frame: Image) -> Outputs:
        """Mask and depth of a frame as `edge.infer` gives them, in the frame's own place.

        Where the camera was moved, rows and columns at the border that `bg` does not show repeat
        the answer of their neighbours.
        """
        check(self.h, frame, "frame")
        dx, dy = found = offset(self._levels, frame)
        self.moved = found if max(map(abs, found)) <= self._reach else (0.0, 0.0)
        if self.moved == (0.0, 0.0):
            return infer(self.h, frame)
        mask, depth = infer(self.h, translate(frame, -dx, -dy))
        return (
            None if mask is None else translate(mask, dx, dy),
            None if depth is None else translate(depth, dx, dy),
        )


def levels(bg: Image) -> list[Level]:
    """The empty scene at each of SIDES that it has."""
    least = min(bg.shape[:2])
    return [Level(grey, min(grey.shape) / least) for grey in smaller(bg)]


def offset(of: list[Level], frame: Image) -> tuple[float, float]:
    """By how many pixels, to the right and down, a frame lies off a scene; (0, 0) for less than
    about half a pixel of 224, and where the scene has nothing to hold on to."""
    found = 0.0, 0.0
    for level, grey in zip(of, smaller(frame), strict=True):
        found = level.nearer(grey, found)
    return found
