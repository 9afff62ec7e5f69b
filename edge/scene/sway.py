"""What sways: the parts of a mask that are the scene itself, moved a little.

A network that does not know a scene takes swaying leaves and the edges of a trembling camera for
new though it is told their spread. Three things tell them from people and cars: the scene there
strays from its background in half of all images, what is seen there is the background within a few
pixels, and a second ago it was something else.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edge.runtime.backend import Plane
from edge.samples.sample import Image
from edge.things.find import SMALLEST, binarize

MOVES = 8 / 224
"""How far the background's texture may move, as a share of the image's shorter side."""
ALIKE = 12
"""Grey levels within which two pixels look alike."""
STRAYS = 15
"""Mean over a part of the first channel of the spread from which the scene never rests there. Where
cars pass now and then, it is the other two channels that are high."""
EXPLAINED = 0.7
"""Share of a part that the moved background has to explain."""
STANDS = 0.5
"""Share of a part that looks as it did AGO_S ago, from which it is a thing that stands."""
AGO_S = 1.0
"""Seconds within which leaves move."""
Offset = tuple[float, float]
Box = Sequence[int]
"""Left, top, width and height in pixels."""
Bytes = npt.NDArray[np.uint8]


def moved_range(bg: Image) -> tuple[Image, Image]:
    """The least and the most that looks like a background which moves by at most MOVES."""
    reach = 2 * round(MOVES * min(bg.shape[:2])) + 1
    kernel = np.ones((reach, reach), np.uint8)
    return _like(cv2.erode(bg, kernel))[0], _like(cv2.dilate(bg, kernel))[1]


def explained(image: Image, low: Image, high: Image) -> npt.NDArray[np.bool_]:
    """Where an image, uint8 [h, w, 3], is the background moved: bool [h, w]."""
    return np.asarray(cv2.inRange(image, low, high) > 0)


class Sway:
    """Takes what sways out of the masks of one scene.

    Args:
        bg: uint8 [H, W, 3] BGR of the build's size.
        spread: as of edge.scene.spread, of the same size; None: unknown, and nothing sways.
    """

    def __init__(self, bg: Image, spread: Image | None) -> None:
        self._strays = np.ascontiguousarray((bg if spread is None else spread)[..., 0])
        self._lives = (self._strays >= STRAYS).view(np.uint8)
        self._calm = spread is None or not self._lives.any()
        self._sums = cv2.integral(self._strays)
        self._moved = moved_range(bg)
        self._now: tuple[float, Image, Offset] | None = None
        self._ago: tuple[tuple[Image, Image], Offset] | None = None

    def without(self, mask: Plane, image: Image, at: float, offset: Offset = (0.0, 0.0)) -> Plane:
        """The mask of a frame without what sways.

        Args:
            mask: [H, W] as a build gives it; it stays as it is.
            image: uint8 [H, W, 3] BGR, the frame at the build's size.
            at: seconds of the frame.
            offset: of the frame from the background, in pixels to the right and down.

        Returns:
            The mask itself where nothing is taken out of it.
        """
        if self._calm:
            return mask
        self._remember(image, at, offset)
        binary = binarize(mask)
        if self._ago is None or not cv2.countNonZero(cv2.bitwise_and(binary, self._lives)):
            return mask
        left = mask
        outlines, _ = cv2.findContours(binary, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        for outline in outlines:
            box = cv2.boundingRect(outline)
            part = self._sways(outline, box, binary, image, offset)
            if part is not None:
                left = mask.copy() if left is mask else left
                left[_within(box)][part > 0] = 0
        return left

    def _remember(self, image: Image, at: float, offset: Offset) -> None:
        """Keep an image of AGO_S to twice as long ago, and the one that will follow it."""
        since = -1.0 if self._now is None else at - self._now[0]
        if 0 <= since < AGO_S:
            return
        self._ago = None  # a source that begins again has no past
        if self._now is not None and since > 0:
            self._ago = _like(self._now[1]), self._now[2]
        self._now = at, image.copy(), offset

    def _sways(
        self,
        outline: cv2.typing.MatLike,
        box: Box,
        binary: Bytes,
        image: Image,
        offset: Offset,
    ) -> Bytes | None:
        """A part of the mask, uint8 [h, w] of 0 and 1 in its box, if it is the scene, moved."""
        assert self._ago is not None
        if box[2] * box[3] < SMALLEST * binary.size:
            return None
        size, scene = binary.shape, _moved(box, offset, binary.shape)
        if self._sum(scene) < STRAYS * cv2.contourArea(outline):
            return None  # most parts end here
        within = _within(box)
        part = np.zeros((box[3], box[2]), np.uint8)
        cv2.drawContours(part, [outline], -1, 1, cv2.FILLED, offset=(-box[0], -box[1]))
        cv2.bitwise_and(part, binary[within], part)
        if cv2.mean(self._strays[_within(scene)], part)[0] < STRAYS:
            return None
        if _share(image[within], self._moved, scene, part) < EXPLAINED:
            return None
        then, its = self._ago
        apart = offset[0] - its[0], offset[1] - its[1]
        if _share(image[within], then, _moved(box, apart, size), part) >= STANDS:
            return None
        return part

    def _sum(self, box: Box) -> float:
        """How far all pixels of a box stray together."""
        x, y, wide, tall = box
        top, bottom = self._sums[y], self._sums[y + tall]
        return float(bottom[x + wide] - bottom[x] - top[x + wide] + top[x])


def _like(image: cv2.typing.MatLike) -> tuple[Image, Image]:
    """The least and the most that looks like an image."""
    levels = np.full_like(image, ALIKE)
    low, high = cv2.subtract(image, levels), cv2.add(image, levels)
    return np.asarray(low, np.uint8), np.asarray(high, np.uint8)


def _share(seen: Image, between: tuple[Image, Image], box: Box, part: Bytes) -> float:
    """Share of a part that lies between two images in a box."""
    low, high = (image[_within(box)] for image in between)
    return cv2.mean(cv2.inRange(seen, low, high), part)[0] / 255


def _within(box: Box) -> tuple[slice, slice]:
    x, y, wide, tall = box
    return np.s_[y : y + tall, x : x + wide]


def _moved(box: Box, offset: Offset, size: tuple[int, ...]) -> Box:
    """A box of the frame in an image from which the frame is off, inside of it."""
    x, y, wide, tall = box
    x = min(max(x - round(offset[0]), 0), size[1] - wide)
    y = min(max(y - round(offset[1]), 0), size[0] - tall)
    return x, y, wide, tall
