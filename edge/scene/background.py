"""The background of a scene from images through which people walk, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import EdgeError
from edge.image import resize_image, translate
from edge.samples.median import median_where
from edge.samples.sample import Image
from edge.scene.blocks import BLOCK, TOLERANCE, Blocks, fill
from edge.scene.outlines import Estimate, emptier, ghosts
from edge.scene.stabilize import build_pyramid, estimate_offset

SIDE, BLOCKS_SIDE = 480, 240
"""Longer side of the reduced images in which the background is looked for, at first in blocks."""
AGREES = 20
"""Grey levels within which an image shows the background."""
UNSURE = 0.2
"""Share of the images below which a part of the background is unsure."""
UNSURE_SHARE = 0.01
"""Share of the background from which its unsure part is worth a sentence."""
FEW = 0.08
"""Share of the images that a pixel's median needs at least, of those without foreground."""
FEW_GHOSTS = 0.04
"""Share of the images that must show a ghost, two at least."""
GAIN, GHOST_GAIN = 1.2, 0.8
"""Evidence that it takes to change the estimate; less where a ghost was seen."""
PASSES = 2
"""Passes with a network."""
STILL = 0.3
"""Offset in pixels up to which an image is left where it is."""
Bools = npt.NDArray[np.bool_]


class Masks(Protocol):
    """The foreground of images before a background, bool [H, W] each: a network."""

    def __call__(
        self, bg: Image, images: Sequence[Image], spread: Image | None = None, /
    ) -> Sequence[Bools]: ...


@dataclass(frozen=True)
class Background:
    """The empty scene.

    Attributes:
        image: uint8 [H, W, 3] BGR.
        confidence: uint8 [H, W], share of the images that show it, 255 for all.
        spread: uint8 [h, w, 3] of any size, how the scene lives (edge.scene.spread); None where it
            is unknown.
    """

    image: Image
    confidence: npt.NDArray[np.uint8]
    spread: Image | None = None

    @property
    def unsure(self) -> npt.NDArray[np.bool_]:
        """Pixels that were hardly ever seen empty, bool [H, W]; specks are left out."""
        rare = (self.confidence < 255 * UNSURE).astype(np.uint8)
        return np.asarray(cv2.morphologyEx(rare, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)) > 0)

    def warning(self, name: str) -> str | None:
        """The sentence about an unsure part of the background of a source, if it is large."""
        share = float(self.unsure.mean())
        if share <= UNSURE_SHARE:
            return None
        return (
            f"{name}: {100 * share:.0f} % of the background was hardly ever seen empty; look at it,"
            " and make it of more time (--seconds) or when nobody is there"
        )


def certain(image: Image) -> Background:
    """A background that somebody gave: sure everywhere."""
    return Background(image, np.full(image.shape[:2], 255, np.uint8))


def estimate_background(images: Sequence[Image], masks: Masks | None = None) -> Background:
    """Estimate the background from unlabelled images, in the order of time.

    Each pixel is the median of the images that show it empty. At first that is all of them. Where
    blocks of the images continue their surroundings better, even if a person stood there most of
    the time, only those are taken (edge.scene.blocks). With a network, its foreground is left out,
    and what it sees because something is gone that the background still shows, a ghost, is taken
    instead. Each step changes only what is emptier by its outlines (edge.scene.outlines).

    Args:
        images: uint8 [H, W, 3] BGR, all of one size; 9 or more, seconds apart, are good.
        masks: A network's foreground.

    Raises:
        EdgeError: There is no image, or they have several sizes.
    """
    if not images:
        raise EdgeError("no image to make a background of")
    if len(shapes := {image.shape for image in images}) > 1:
        sizes = ", ".join(sorted(f"{width}x{height}" for height, width, _ in shapes))
        raise EdgeError(
            f"the images have several sizes ({sizes}), expected one",
            "leave out those that are not of this camera, or scale all to one size",
        )
    stack = np.stack(registered(images))
    background = median_where(stack, _enlarged(_shown(_reduced(stack, SIDE), masks), stack))
    agree = np.zeros(background.shape[:2], np.float32)
    for image in stack:
        agree += cv2.absdiff(image, background).max(2) <= AGREES
    return Background(background, np.asarray(255 * agree / len(stack), np.uint8))


def registered(images: Sequence[Image]) -> list[Image]:
    """Register the images of a trembling camera to their mean position."""
    pyramid = build_pyramid(images[len(images) // 2])
    offsets = np.array([estimate_offset(pyramid, image) for image in images])
    offsets -= np.median(offsets, axis=0)
    return [
        translate(image, -dx, -dy) if max(abs(dx), abs(dy)) > STILL else image
        for image, (dx, dy) in zip(images, offsets.tolist(), strict=True)
    ]


def _shown(stack: Image, masks: Masks | None) -> Bools:
    """The images that show each pixel empty, bool [N, H, W]; at least one does."""
    estimate = Estimate.of(stack, np.ones(stack.shape[:3], np.bool_))
    if len(stack) >= 3 and min(stack.shape[1:3]) >= BLOCK:
        estimate = emptier(stack, estimate, Estimate.of(stack, _in_blocks(stack)), GAIN)
    for _ in range(PASSES if masks else 0):
        assert masks is not None
        foreground = masks(estimate.image, list(stack))
        gone, empty = _without_ghosts(stack, estimate, foreground), _empty(estimate, foreground)
        estimate = emptier(stack, estimate, Estimate.of(stack, gone), GHOST_GAIN)
        estimate = emptier(stack, estimate, Estimate.of(stack, empty), GAIN)
    return estimate.shown


def _in_blocks(stack: Image) -> Bools:
    """The images whose blocks show the empty scene."""
    reduced = _reduced(stack, BLOCKS_SIDE)
    image, shown = fill(Blocks(reduced))
    kernel = np.ones((TOLERANCE + 2, TOLERANCE + 2), np.uint8)
    high, low = cv2.dilate(image, kernel), cv2.erode(image, kernel)
    outside = np.stack(
        [cv2.max(cv2.subtract(r, high), cv2.subtract(low, r)).max(2) for r in reduced]
    )
    fits = shown & (outside <= AGREES)
    return _enlarged(np.where(fits.any(0), fits, shown), stack)


def _without_ghosts(stack: Image, estimate: Estimate, foreground: Sequence[Bools]) -> Bools:
    """The images of an estimate; where a ghost is in it, those that uncover it."""
    uncover = np.stack(
        [
            _around(ghosts(estimate.image, image, seen))
            for image, seen in zip(stack, foreground, strict=True)
        ]
    )
    often = uncover.sum(0) >= max(2, round(FEW_GHOSTS * len(stack)))
    return np.where(often, uncover, estimate.shown)


def _empty(estimate: Estimate, foreground: Sequence[Bools]) -> Bools:
    """The images in which a network sees no foreground; where they are few, an estimate's."""
    empty = ~np.stack([_around(seen) for seen in foreground])
    often = empty.sum(0) >= max(2, round(FEW * len(empty)))
    return np.where(often, empty, estimate.shown)


def _around(area: Bools) -> Bools:
    reach = max(3, area.shape[1] // 60) | 1
    return np.asarray(cv2.dilate(area.view(np.uint8), np.ones((reach, reach), np.uint8)) > 0)


def _reduced(stack: Image, side: int) -> Image:
    """The images with the longer side at most `side`; a side of BLOCK pixels is kept."""
    height, width = stack.shape[1:3]
    scale = min(1.0, side / max(height, width))
    size = [max(min(BLOCK, full), round(full * scale)) for full in (height, width)]
    return stack if scale == 1 else np.stack([resize_image(image, *size) for image in stack])


def _enlarged(where: Bools, stack: Image) -> Bools:
    """Planes, bool [N, h, w], at the size of the images."""
    height, width = stack.shape[1:3]
    if where.shape[1:] == (height, width):
        return where
    planes = [
        cv2.resize(w.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
        for w in where
    ]
    return np.asarray(planes).astype(bool)
