"""Register the frames of a trembling camera to its background before inference."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edge.image import resize_image, translate
from edge.runtime.handle import Handle, Outputs, check, infer, set_background
from edge.samples.sample import Image

Field = npt.NDArray[np.float32]

MAX_OFFSET = 4 / 224
"""Largest offset that is corrected, as a share of the image's shorter side. A frame farther off
shows another view."""
SIDES = (56, 112)
"""Shorter sides of the pyramid's levels, from coarse to fine."""
WINDOW = 9
"""Side of the window, in pixels, in which brightness and contrast are normalized."""
PLAIN = 4.0
"""Contrast in grey levels below which a window is plain and gives no hold."""
MISFIT = 0.5
"""Residual, in contrasts, at which a pixel's weight is a quarter."""
MAX_STEPS, CONVERGED = 6, 0.02
"""Steps per level at most, and the step, in the level's pixels, that ends them."""
MIN_GAIN = 1.12
"""Ratio by which a frame must fit better at its offset than at none. A whole pixel of 224 makes a
seventh or more; half a pixel, which networks tolerate, makes 3 to 10 %: to register it would blur
it for nothing."""
NEAR = 0.25
"""Pixels of the full size below which an offset never makes MIN_GAIN."""
STILL, FITS = 0.1, 0.5
"""A frame has not moved if its first step, in pixels of the full size, is below the one and its
mean weight above the other. One that is pixels off may have a short step too, but does not fit."""
INSIDE = np.s_[4:-4, 4:-4]
"""Pixels that stay inside the image when it is translated."""


def normalize_contrast(grey: npt.NDArray[np.uint8]) -> Field:
    """Normalize a grey image, uint8 [H, W], to mean 0 and contrast 1 in each window.

    Plain windows keep a contrast below 1. The result, float32 [H, W], does not depend on the light.
    """
    x = grey.astype(np.float32)
    side = (WINDOW, WINDOW)
    mean = cv2.blur(x, side)
    variance = cv2.blur(x * x, side) - mean * mean
    return np.asarray((x - mean) / np.sqrt(np.maximum(variance, 0) + PLAIN**2), np.float32)


def grey_pyramid(image: Image) -> list[npt.NDArray[np.uint8]]:
    """Return an image in grey at each of SIDES that is not above its own, coarse first."""
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
    height, width = grey.shape
    shorter = min(height, width)
    pyramid: list[npt.NDArray[np.uint8]] = []
    for side in reversed(SIDES):
        if side <= shorter:
            grey = resize_image(grey, round(height * side / shorter), round(width * side / shorter))
            pyramid.insert(0, grey)
    return pyramid


class PyramidLevel:
    """A background at one level of the pyramid, to which frames are registered.

    Args:
        bg: uint8 [h, w], the background in grey at this level.
        factor: size of the level over the full size.
    """

    def __init__(self, bg: npt.NDArray[np.uint8], factor: float) -> None:
        self.factor = factor
        normalized = normalize_contrast(bg)
        self.bg = normalized[INSIDE]
        self.dx, self.dy = (
            np.asarray(cv2.Sobel(normalized, cv2.CV_32F, *axis, scale=1 / 8)[INSIDE], np.float32)
            for axis in ((1, 0), (0, 1))
        )
        # A little stiffness: noise alone must not move a plain scene.
        self.stiffness = 1e-3 * normalized.size

    def _residual(self, frame: Field, x: float, y: float) -> tuple[Field, Field]:
        """The residual of each pixel at an offset, and its weight, up to 1."""
        moved = translate(frame, -x, -y) if x or y else frame
        residual = moved[INSIDE] - self.bg
        weight = np.square(residual)
        weight /= MISFIT**2
        weight += 1
        np.square(weight, out=weight)
        return residual, np.reciprocal(weight, out=weight)

    def _step(self, residual: Field, weight: Field) -> tuple[float, float]:
        """How much farther the frame is off, in pixels of this level."""
        wx, wy = weight * self.dx, weight * self.dy
        xx, xy, ex = (_product(wx, other) for other in (self.dx, self.dy, residual))
        yy, ey = (_product(wy, other) for other in (self.dy, residual))
        xx, yy = xx + self.stiffness, yy + self.stiffness
        determinant = xx * yy - xy * xy
        return (xy * ey - yy * ex) / determinant, (xy * ex - xx * ey) / determinant

    def is_still(self, frame: Field) -> bool:
        """Whether a normalized frame fits so well as it is that no search is needed."""
        residual, weight = self._residual(frame, 0, 0)
        if float(weight.mean()) < FITS:
            return False
        return max(map(abs, self._step(residual, weight))) < STILL * self.factor

    def refine(self, frame: Field, offset: tuple[float, float]) -> tuple[float, float]:
        """Refine an estimated offset, in pixels of the full size.

        Args:
            frame: float32 [h, w], the frame at this level, normalized.
            offset: (x, y) as estimated so far.

        Returns:
            (x, y); (0, 0) if no offset fits clearly better.
        """
        unmoved = self._residual(frame, 0, 0)
        x, y = (self.factor * pixels for pixels in offset)
        for _ in range(MAX_STEPS):
            step_x, step_y = self._step(*(self._residual(frame, x, y) if x or y else unmoved))
            x, y = x + step_x, y + step_y
            if max(abs(step_x), abs(step_y)) < CONVERGED:
                break
        if max(abs(x), abs(y)) < NEAR * self.factor:
            return 0.0, 0.0
        moved = self._residual(frame, x, y)
        if float(moved[1].mean()) < MIN_GAIN * float(unmoved[1].mean()):
            return 0.0, 0.0
        return x / self.factor, y / self.factor


def _product(a: Field, b: Field) -> float:
    """The sum of the products; np.dot would wake the threads of BLAS."""
    return float(np.einsum("ij,ij->", a, b))


def build_pyramid(bg: Image) -> list[PyramidLevel]:
    """Build the pyramid of a background, uint8 [H, W, 3] BGR, coarse first."""
    shorter = min(bg.shape[:2])
    return [PyramidLevel(grey, min(grey.shape) / shorter) for grey in grey_pyramid(bg)]


def estimate_offset(pyramid: list[PyramidLevel], frame: Image) -> tuple[float, float]:
    """Estimate the offset of a frame from the background of a pyramid.

    Returns:
        Pixels to the right and down; (0, 0) for less than about half a pixel of 224, and where the
        scene has no contrast to register to.
    """
    frames = [normalize_contrast(grey) for grey in grey_pyramid(frame)]
    offset = 0.0, 0.0
    if pyramid and pyramid[-1].is_still(frames[-1]):
        return offset
    for level, normalized in zip(pyramid, frames, strict=True):
        offset = level.refine(normalized, offset)
    return offset


def within_reach(pyramid: list[PyramidLevel], frame: Image) -> tuple[float, float]:
    """The offset by which a frame is registered: (0, 0) for one that shows another view."""
    dx, dy = estimate_offset(pyramid, frame)
    reach = MAX_OFFSET * min(frame.shape[:2])
    return (dx, dy) if max(abs(dx), abs(dy)) <= reach else (0.0, 0.0)


def registered_to(bg: Image, frames: Sequence[Image]) -> list[Image]:
    """Frames of the background's size as a `Stabilizer` gives them to the network."""
    pyramid = build_pyramid(bg)
    offsets = [within_reach(pyramid, frame) for frame in frames]
    return [
        translate(frame, -dx, -dy) if (dx, dy) != (0.0, 0.0) else frame
        for frame, (dx, dy) in zip(frames, offsets, strict=True)
    ]


class Stabilizer:
    """Infers frames registered to the background.

    The Lucas-Kanade method with the gradients of the background (Baker and Matthews 2004: inverse
    compositional) estimates the offset of each frame anew, from coarse to fine. The weight of a
    pixel falls with its residual, so that foreground counts little. A small rotation of the camera
    is treated as a translation, which it nearly is.

    Args:
        h: an open build. Below 56 pixels it is too small to register: its frames stay as they are.
        bg: background, uint8 [H, W, 3] BGR of the build's size; it is set in the build.
        spread: as of `edge.set_background`.

    Attributes:
        offset: how far the last frame was off, in pixels to the right and down.
    """

    def __init__(self, h: Handle, bg: Image, spread: Image | None = None) -> None:
        self.h = h
        self.offset = (0.0, 0.0)
        self.set_background(bg, spread)

    def set_background(self, bg: Image, spread: Image | None = None) -> None:
        """Set a new background, as `edge.set_background` does."""
        set_background(self.h, bg, spread)
        self._pyramid = build_pyramid(bg)

    def infer(self, frame: Image) -> Outputs:
        """Infer a frame, uint8 [H, W, 3] BGR of the build's size.

        Returns:
            Mask and depth as `edge.infer` gives them, in the frame's own coordinates. Rows and
            columns at the border that the background does not show repeat their neighbours.

        Raises:
            UsageError: the frame has another size or dtype.
        """
        check(self.h, frame, "frame")
        dx, dy = self.offset = within_reach(self._pyramid, frame)
        if self.offset == (0.0, 0.0):
            return infer(self.h, frame)
        mask, depth = infer(self.h, translate(frame, -dx, -dy))
        return (
            None if mask is None else translate(mask, dx, dy),
            None if depth is None else translate(depth, dx, dy),
        )
