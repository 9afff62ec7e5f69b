"""Which of two backgrounds is the empty scene: outlines tell.

Where two estimates of a background differ, one of them shows something that is not part of the
scene. It has an outline there, which the empty scene has not; and the empty scene looks the same
whenever it is seen, which a mixture of people who walk by does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.samples.median import median_where
from edge.samples.sample import Image

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]

DIFFERENT = 15
"""Grey levels from which two images differ."""
SAME = 8
"""Grey levels within which an image shows an estimate."""
LEAST_AREA = 1 / 4000
"""Part of the image from which an area is looked at, and at least 20 pixels."""
AROUND = 6
"""Pixels around an area that its outline needs."""
EDGE, SHARE = 2.0, 0.02
"""Levels per pixel and share of the images that are noise in a comparison."""
MOST_SHARE = 3.0
"""A share of the images that is larger by this factor counts no more than that."""
GHOST = 1.2
"""Factor by which the background's edges along an outline exceed the image's, of a ghost."""


@dataclass(frozen=True)
class Estimate:
    """A background as the images that show it.

    Attributes:
        shown: bool [N, H, W], whether an image shows a pixel empty; at least one does.
        image: uint8 [H, W, 3], the median of these images.
    """

    shown: Bools
    image: Image

    @classmethod
    def of(cls, images: Image, shown: Bools) -> Estimate:
        """The estimate from images, uint8 [N, H, W, 3]."""
        return cls(shown, median_where(images, shown))


def emptier(images: Image, current: Estimate, other: Estimate, gain: float) -> Estimate:
    """Take from another estimate each area in which it rather is the empty scene.

    Areas in which the two hardly differ are taken as well.

    Args:
        images: uint8 [N, H, W, 3].
        gain: Factor by which the evidence for `other` must exceed that for `current`.
    """
    square = np.ones((3, 3), np.uint8)
    closed = _different(current.image, other.image)
    take = np.asarray(cv2.dilate(closed, square) == 0)
    slopes = _slopes(current.image), _slopes(other.image)
    for place, area in _areas(cv2.morphologyEx(closed, cv2.MORPH_OPEN, square)):
        outline = _Outline(area)
        edges = [outline.edges(slope[place]) + EDGE for slope in slopes]
        shares = [
            _share(images[:, place[0], place[1]], estimate.image[place], area) + SHARE
            for estimate in (current, other)
        ]
        seen = np.clip(shares[1] / shares[0], 1 / MOST_SHARE, MOST_SHARE)
        if seen * edges[0] / edges[1] > gain:
            take[place] |= cv2.dilate(area.view(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return Estimate(
        np.where(take, other.shown, current.shown),
        np.where(take[..., None], other.image, current.image),
    )


def ghosts(background: Image, image: Image, foreground: Bools) -> Bools:
    """Foreground of an image that is not new: what the background shows there is gone.

    Its outline is an edge in the background and none in the image.

    Args:
        foreground: bool [H, W], as a network sees it in the image.

    Returns:
        bool [H, W]: the image shows the empty scene there.
    """
    square = np.ones((3, 3), np.uint8)
    different = (cv2.absdiff(background, image).max(2) > DIFFERENT) & foreground
    closed = cv2.morphologyEx(different.view(np.uint8), cv2.MORPH_CLOSE, square)
    found = np.zeros(foreground.shape, np.bool_)
    if not closed.any():
        return found
    slopes = _slopes(background), _slopes(image)
    for place, area in _areas(cv2.morphologyEx(closed, cv2.MORPH_OPEN, square)):
        outline = _Outline(area)
        before, now = (outline.edges(slope[place]) for slope in slopes)
        if before > GHOST * now + EDGE:
            found[place] |= area
    return found


def _different(a: Image, b: Image) -> npt.NDArray[np.uint8]:
    different = (cv2.absdiff(a, b).max(2) > DIFFERENT).astype(np.uint8)
    closed = cv2.morphologyEx(different, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    return np.asarray(closed, np.uint8)


def _areas(plane: cv2.typing.MatLike) -> Iterator[tuple[tuple[slice, slice], Bools]]:
    """The connected areas of a plane of 0 and 1: where they are, and a mask of that part."""
    height, width = plane.shape
    least = max(20, height * width * LEAST_AREA)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(plane, connectivity=8)
    for number in range(1, count):
        left, top, across, down, size = boxes[number].tolist()
        if size < least:
            continue
        place = (
            slice(max(0, top - AROUND), top + down + AROUND),
            slice(max(0, left - AROUND), left + across + AROUND),
        )
        yield place, np.asarray(labels[place] == number)


class _Outline:
    """The outline of an area, bool [h, w], and the direction across it at each pixel."""

    def __init__(self, area: Bools) -> None:
        plane, square = area.view(np.uint8), np.ones((3, 3), np.uint8)
        self.pixels = (cv2.dilate(plane, square) > 0) & (cv2.erode(plane, square) == 0)
        soft = cv2.GaussianBlur(area.astype(np.float32), (0, 0), 1.5)
        across = np.stack([cv2.Sobel(soft, cv2.CV_32F, dx, 1 - dx) for dx in (1, 0)], -1)
        length = np.linalg.norm(across, axis=-1, keepdims=True)
        self.across = (across / np.maximum(length, 1e-6))[self.pixels]

    def edges(self, slopes: Floats) -> float:
        """Mean difference across the outline, in levels per pixel, of the largest channel."""
        if not len(self.across):
            return 0.0
        along = np.abs((slopes[self.pixels] * self.across[:, None]).sum(-1))
        return float(along.max(1).mean())


def _slopes(image: Image) -> Floats:
    """Levels per pixel to the right and down, float32 [H, W, 3, 2], of the smoothed image."""
    soft = cv2.GaussianBlur(image, (0, 0), 1.0)
    parts = [cv2.Sobel(soft, cv2.CV_32F, dx, 1 - dx, scale=1 / 8) for dx in (1, 0)]
    return np.asarray(np.stack(parts, -1), np.float32)


def _share(images: Image, estimate: Image, area: Bools) -> float:
    """Share of the images that show the estimate, of an area's pixels."""
    pixels = estimate[area].astype(np.int16)
    near = [(np.abs(image[area] - pixels).max(1) <= SAME).mean() for image in images]
    return float(np.mean(near))
