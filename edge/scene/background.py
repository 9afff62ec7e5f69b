"""The background of a scene from images through which people walk, and how sure it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import EdgeError
from edge.image import resize_image, translate
from edge.samples.median import median_where
from edge.samples.sample import Image
from edge.scene.blocks import BLOCK, TOLERANCE, Blocks, fill
from edge.scene.stabilize import build_pyramid, estimate_offset

SIDE = 240
"""Longer side of the reduced images in which the background is looked for."""
AGREES = 20
"""Grey levels within which an image shows the background."""
UNSURE = 0.2
"""Share of the images below which a part of the background is unsure."""
UNSURE_SHARE = 0.01
"""Share of the background from which its unsure part is worth a sentence."""
FEW = 0.08
"""Share of the images that a pixel's median needs at least."""
STILL = 0.3
"""Offset in pixels up to which an image is left where it is."""
Masks = Callable[[Image, Sequence[Image]], Sequence[npt.NDArray[np.bool_]]]
"""The foreground of images before a background, bool [H, W] each: a network."""


@dataclass(frozen=True)
class Background:
    """The empty scene.

    Attributes:
        image: uint8 [H, W, 3] BGR.
        confidence: uint8 [H, W], share of the images that show it, 255 for all.
    """

    image: Image
    confidence: npt.NDArray[np.uint8]

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

    Each part is taken from the images that show it empty (edge.scene.blocks), even if a person
    stood there most of the time. With a network, its foreground is then left out.

    Args:
        images: uint8 [H, W, 3] BGR, all of one size; 9 or more, seconds apart, are good.
        masks: A network's foreground; two passes are made.

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
    background = _from_blocks(stack)
    if masks is not None:
        for _ in range(2):
            background = _without_foreground(stack, background, masks)
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


def _from_blocks(stack: npt.NDArray[np.uint8]) -> Image:
    count, height, width = stack.shape[:3]
    scale = min(1.0, SIDE / max(height, width))
    small = (max(BLOCK, round(height * scale)), max(BLOCK, round(width * scale)))
    if count < 3 or min(height, width) < BLOCK:
        return np.asarray(np.median(stack, 0), np.uint8)
    reduced = np.stack([resize_image(image, *small) for image in stack])
    image, shown = fill(Blocks(reduced))
    kernel = np.ones((TOLERANCE + 2, TOLERANCE + 2), np.uint8)
    high, low = cv2.dilate(image, kernel), cv2.erode(image, kernel)
    outside = np.stack(
        [cv2.max(cv2.subtract(r, high), cv2.subtract(low, r)).max(2) for r in reduced]
    )
    fits = shown & (outside <= AGREES)
    return median_where(stack, _enlarged(np.where(fits.any(0), fits, shown), (height, width)))


def _enlarged(where: npt.NDArray[np.bool_], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    planes = [
        cv2.resize(w.view(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST) for w in where
    ]
    return np.asarray(planes).astype(bool)


def _without_foreground(stack: npt.NDArray[np.uint8], background: Image, masks: Masks) -> Image:
    """The median of each pixel over the images in which the network sees no foreground there."""
    reach = max(3, stack.shape[2] // 60) | 1
    kernel = np.ones((reach, reach), np.uint8)
    empty = np.stack(
        [cv2.dilate(m.view(np.uint8), kernel) == 0 for m in masks(background, list(stack))]
    )
    often = empty.sum(0) >= max(2, round(FEW * len(stack)))
    return np.where(often[..., None], median_where(stack, empty), background)
