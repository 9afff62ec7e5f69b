"""An open build as the judge of what is foreground before a background."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import UsageError
from edge.image import fit
from edge.runtime.handle import Handle, infer, set_background
from edge.samples.sample import Image
from edge.scene.background import Masks

LIKELY = 0.3
"""Probability from which a pixel counts as foreground: a background must not hold any."""


def network_masks(h: Handle, on_image: Callable[[], None] = lambda: None) -> Masks:
    """The masks of a build, for `learn_scene`; its own background is replaced.

    on_image: called before each image; what it raises ends the learning.
    """

    def masks(
        bg: Image, images: Sequence[Image], spread: Image | None = None
    ) -> list[npt.NDArray[np.bool_]]:
        set_background(h, fit(h, bg), None if spread is None else fit(h, spread))
        found = []
        for image in images:
            on_image()
            found.append(_mask(h, image))
        return found

    return masks


def _mask(h: Handle, image: Image) -> npt.NDArray[np.bool_]:
    mask, _ = infer(h, fit(h, image))
    if mask is None:
        raise UsageError(f"{h.manifest.name} gives no mask", "build a network that does")
    level = LIKELY * (255 if mask.dtype == np.uint8 else 1)
    full = cv2.resize(np.asarray(mask), image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(full >= level)
