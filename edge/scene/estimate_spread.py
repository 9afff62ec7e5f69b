"""The spread of a scene from unlabelled images: what is new in them is left out, what moves is not.

A network sees what is new. As long as it does not know the spread it also sees water, leaves and a
trembling camera; if they were left out, they would be for ever. They differ from people and cars in
that what is seen there is the background itself, moved a little, and never the same twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edge.samples.median import median_where
from edge.samples.sample import Image
from edge.scene.background import Masks
from edge.scene.spread import deviation, spread_of
from edge.scene.stabilize import registered_to
from edge.scene.sway import ALIKE, explained, moved_range

PASSES = 2
"""Passes with the network: with the spread unknown, then with that of the first."""
AROUND = 4 / 224
"""Rim of what is new that is left out too, as a share of the image's shorter side."""
EXPLAINED = 0.8
"""Share of an area that the moved background has to explain."""
STANDS = 0.4
"""Share of an area that looks the same again and again, from which it is a thing that stands."""
AGAIN = 3
"""Images in which a place is new, from which is known whether it looks the same each time."""
LIGHT = 0.1
"""Change of the whole brightness from which an image is in another light than the background."""
Bools = npt.NDArray[np.bool_]


def estimate_spread(
    images: Sequence[Image], bg: Image, masks: Masks, stabilize: bool = True
) -> Image:
    """Estimate the spread of a scene from images in which people walk and stand.

    Args:
        images: uint8 [H, W, 3] BGR of the network's size, seconds apart.
        bg: uint8 [H, W, 3] BGR, the background.
        masks: The network's foreground.
        stabilize: Register the images to the background, as a `Stabilizer` does with frames.

    Returns:
        uint8 [H, W, 3] (edge.scene.spread); 0, unknown, where hardly an image shows the scene.
    """
    frames = registered_to(bg, images) if stabilize else list(images)
    spread = None
    for _ in range(PASSES):
        new = np.stack(masks(bg, frames, spread))
        thing = new & ~alive(np.stack(frames), bg, new)
        empty = [
            ~_around(what) & _same_light(frame, bg, ~plane)
            for frame, what, plane in zip(frames, thing, new, strict=True)
        ]
        spread = spread_of(frames, bg, empty)
    assert spread is not None
    return spread


def alive(frames: Image, bg: Image, new: Bools) -> Bools:
    """What a network takes for new and is the scene that moves.

    Args:
        frames: uint8 [N, H, W, 3].
        bg: uint8 [H, W, 3].
        new: bool [N, H, W], the network's foreground.

    Returns:
        bool [N, H, W]: connected areas of `new`, each whole or not at all.
    """
    moved = moved_range(bg)
    usual = median_where(frames, np.where(new.any(0), new, True))
    often = new.sum(0) >= AGAIN
    found = np.zeros(new.shape, np.bool_)
    for image, plane, out in zip(frames, new, found, strict=True):
        if not plane.any():
            continue
        stands = often & (deviation(image, usual) <= ALIKE)
        count, labels = cv2.connectedComponents(plane.view(np.uint8), connectivity=8)
        size = np.bincount(labels.ravel(), minlength=count)
        lives = np.bincount(labels[explained(image, *moved)], minlength=count) >= EXPLAINED * size
        lives &= np.bincount(labels[stands], minlength=count) < STANDS * size
        lives[0] = False
        out[:] = lives[labels]
    return found


def _same_light(image: Image, bg: Image, where: Bools) -> bool:
    """Whether an image is as bright as the background: automatic exposure answers to who is there,
    and networks see through it without a spread."""
    if not where.any():
        return False
    ratio = float(image[where].mean()) / max(float(bg[where].mean()), 1.0)
    return abs(ratio - 1) <= LIGHT


def _around(area: Bools) -> Bools:
    reach = 2 * max(1, round(AROUND * min(area.shape))) + 1
    return np.asarray(cv2.dilate(area.view(np.uint8), np.ones((reach, reach), np.uint8)) > 0)
