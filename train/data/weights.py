"""How much each pixel counts in the losses: shadows more, because a scene has few of them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.samples.sample import BACKGROUND, IGNORED, Image, Sample

SHADOW = 5.0
"""Weight of background that looks like a shadow; all other pixels have 1. Without it the networks
take 39 to 47 % of the pixels that CDnet labels as hard shadows for foreground."""
DARKER = (0.2, 0.85)
"""Light that a shadow leaves, as a share of that of `bg`."""
COLOUR = 0.2
"""Largest difference of that share between channels; the sky's blue light makes less."""
BLACK = 24
"""Grey level of `bg` in its brightest channel, up to which noise decides that share."""


def pixel_weights(sample: Sample) -> npt.NDArray[np.float32]:
    """Weights of the pixels of a sample, float32 [H, W].

    0 where its label is IGNORED, SHADOW where its background is darker than `bg` by one factor for
    all channels, else 1. Images as recorded: light that changes everywhere is no shadow, and is
    augmented later.
    """
    share = _smooth(sample.fg_bg) / _smooth(sample.bg)
    least, most = share.min(axis=2), share.max(axis=2)
    dark = (DARKER[0] < least) & (most < DARKER[1]) & (most - least < COLOUR)
    dark &= (sample.bg.max(axis=2) > BLACK) & (sample.mask == BACKGROUND)
    weights = np.ones(dark.shape, np.float32)
    weights[dark] = SHADOW
    weights[sample.mask == IGNORED] = 0
    return weights


def _smooth(image: Image) -> npt.NDArray[np.float32]:
    """Float32 without its finest noise, at least 1."""
    return np.asarray(cv2.blur(image, (3, 3)).astype(np.float32) + 1, np.float32)
