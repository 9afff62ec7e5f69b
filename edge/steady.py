"""Lay the frames of a camera that trembles over its empty scene before they are inferred."""

from __future__ import annotations

from typing import TypeVar, cast

import cv2
import numpy as np
import numpy.typing as npt

from edge.runtime.handle import Handle, Outputs, infer

Field = npt.NDArray[np.float32]
Picture = TypeVar("Picture", bound=npt.NDArray[np.uint8] | npt.NDArray[np.float32])

REACH = 4.0
"""A camera is followed by at most so many pixels of the build's size; farther is another view."""
AROUND = 9
"""Side of the surroundings, in pixels, whose brightness and contrast are evened out."""
PLAIN = 4.0
"""Grey levels of contrast below which a place is plain and says nothing about where it is."""
MISFIT = 0.5
"""Difference, in contrasts, at which a pixel counts a quarter."""
ROUNDS, CLOSE = 6, 0.02
"""Steps at each size, and the step, in its pixels, after which no more are taken."""
BETTER = 1.12
"""How much better a frame must fit where it is laid than where it is. A whole pixel makes a seventh
or more, half a pixel, which networks bear, 3 to 10 %: laying it over would blur it for nothing."""
INSIDE = np.s_[4:-4, 4:-4]
"""Pixels that stay in the picture when it is moved."""


def evened(grey: npt.NDArray[np.uint8], factor: float) -> Field:
    """A grey picture, uint8 [H, W], in `factor` of its size, float32: every place with the mean 0
    and, unless it is plain, the contrast 1 of its surroundings. Light does not change it."""
    small = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    x = small.astype(np.float32)
    side = (AROUND, AROUND)
    mean = cv2.blur(x, side)
    spread = cv2.blur(x * x, side) - mean * mean
    return np.asarray((x - mean) / np.sqrt(np.maximum(spread, 0) + PLAIN**2), np.float32)


def _grey(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)


class Level:
    """The empty scene at a part of its size, and what says how far a frame lies off it."""

    def __init__(self, bg: npt.NDArray[np.uint8], factor: float) -> None:
        self.factor = factor
        even = evened(_grey(bg), factor)
        self.bg = even[INSIDE]
        self.dx = np.asarray(cv2.Sobel(even, cv2.CV_32F, 1, 0, scale=1 / 8)[INSIDE], np.float32)
        self.dy = np.asarray(cv2.Sobel(even, cv2.CV_32F, 0, 1, scale=1 / 8)[INSIDE], np.float32)
        # A little stiffness: what noise alone says must not move a plain scene.
        self.stiff = 1e-3 * even.size

    def _off(self, seen: Field, x: float, y: float) -> tuple[Field, Field]:
        """What is wrong with an offset, pixel by pixel, and how much each counts, up to 1."""
        wrong = _shifted(seen, -x, -y)[INSIDE] - self.bg
        weight = 1 / (1 + (wrong / MISFIT) ** 2) ** 2
        return wrong, np.asarray(weight, np.float32)

    def nearer(
        self, grey: npt.NDArray[np.uint8], offset: tuple[float, float]
    ) -> tuple[float, float]:
        """A better offset of a frame, in pixels of its full size; (0, 0) if none is clearly
        better than that."""
        seen = evened(grey, self.factor)
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


class Steady:
    """Infers frames where the camera was when its empty scene was taken.

    The offset between `bg` and a frame is found anew in every frame, by the Lucas-Kanade method
    with the gradients of `bg` (Baker and Matthews 2004: inverse compositional), first at a quarter
    and then at half of the size, each pixel counted the less the worse it fits, as what is new in
    the scene does. A turn of the camera is taken for a shift, which it nearly is when it is small.

    h: an open build whose background was set to bg, uint8 [H, W, 3] BGR of the build's size; below
        54 pixels a side there is too little to hold on to, and nothing is laid over.
    """

    def __init__(self, h: Handle, bg: npt.NDArray[np.uint8]) -> None:
        self.h = h
        self.moved = (0.0, 0.0)
        least = min(bg.shape[:2])
        self._levels = [Level(bg, f) for f in (0.25, 0.5) if f * least >= 3 * AROUND]

    def infer(self, frame: npt.NDArray[np.uint8]) -> Outputs:
        """Mask and depth of a frame as `edge.infer` gives them, in the frame's own place; `moved`
        says by how many pixels it was laid over, to the right and down."""
        self.moved = self.offset(frame)
        if self.moved == (0.0, 0.0):
            return infer(self.h, frame)
        dx, dy = self.moved
        mask, depth = infer(self.h, _shifted(frame, -dx, -dy))
        return (
            None if mask is None else _shifted(mask, dx, dy),
            None if depth is None else _shifted(depth, dx, dy),
        )

    def offset(self, frame: npt.NDArray[np.uint8]) -> tuple[float, float]:
        """By how many pixels, to the right and down, a frame lies off `bg`; (0, 0) for less than
        about half of one, for more than REACH, and where the scene has nothing to hold on to."""
        grey = _grey(frame)
        offset = 0.0, 0.0
        for level in self._levels:
            offset = level.nearer(grey, offset)
        return offset if max(map(abs, offset)) <= REACH else (0.0, 0.0)


def _shifted(picture: Picture, dx: float, dy: float) -> Picture:
    """Moved right by dx and down by dy, the border repeated; bilinear."""
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    size = picture.shape[1::-1]
    moved = cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    return cast(Picture, moved)
