"""The spread of a scene: how far each pixel strays from the background while nothing new is there.

Water, leaves, a trembling camera and flickering light cannot be told from something new by one
image of the empty scene; their spread tells. Like the background it is a constant of the scene.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edge.samples.sample import Image

QUANTILES = (0.5, 0.8, 0.95)
"""The channels of a spread: quantiles over time of |image - bg|, its largest channel."""
MOVES = 20
"""Grey levels by which a pixel that moves strays in a fifth of the images."""
LEAST = 5
"""Fewer images in which a pixel is empty leave its spread unknown (0)."""


def unknown_spread(height: int, width: int) -> Image:
    """The spread that says nothing: uint8 [H, W, 3], all zero."""
    return np.zeros((height, width, 3), np.uint8)


def deviation(image: Image, bg: Image) -> npt.NDArray[np.uint8]:
    """|image - bg|, uint8 [H, W], the largest of the three channels."""
    blue, green, red = cv2.split(cv2.absdiff(image, bg))
    return np.asarray(cv2.max(cv2.max(blue, green), red), np.uint8)


def moving_share(spread: Image) -> float:
    """Share of a scene that moves while nothing new is there."""
    return float((spread[..., 1] > MOVES).mean())


def spread_of(
    images: Sequence[Image], bg: Image, empty: Sequence[npt.NDArray[np.bool_]] | None = None
) -> Image:
    """Measure the spread of a scene.

    Args:
        images: uint8 [H, W, 3] BGR, of different moments.
        bg: uint8 [H, W, 3] BGR, the background.
        empty: bool [H, W] for each image, where nothing new is; None where it is empty throughout.

    Returns:
        uint8 [H, W, 3]: the QUANTILES of `deviation` over the images in which a pixel is empty; 0
        where those are fewer than LEAST.
    """
    if len(images) < LEAST:
        return unknown_spread(*bg.shape[:2])
    values = np.stack([deviation(image, bg) for image in images])
    count = np.full(bg.shape[:2], len(images))
    if empty is not None:
        seen = np.stack(empty)
        count = seen.sum(0)
        values[~seen] = 255  # behind all that count
    values.sort(axis=0)
    planes = []
    for quantile in QUANTILES:
        rank = np.rint(quantile * np.maximum(count - 1, 0)).astype(np.intp)
        plane = np.take_along_axis(values, rank[None], 0)[0]
        planes.append(np.where(count >= LEAST, plane, 0))
    return np.stack(planes, -1).astype(np.uint8)
