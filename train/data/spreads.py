"""Spreads of training scenes: of composites from moments of their life, of labelled sequences from
their own frames, and as a camera's noise changes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from edge.calibrate.rendering.life import Life, to_image
from edge.calibrate.rendering.sensor import Rng
from edge.calibrate.rendering.shadow import Field
from edge.samples.sample import BACKGROUND, Image, Sample
from edge.scene.spread import deviation, spread_of
from edge.train.augment.photometric import Exposure

MOMENTS = 8
"""Moments of a composite's life that its background and its spread are made of."""
FRAMES = 61
"""Frames of a sequence, evenly spaced, that its spread is made of: as many as a camera's."""
MARGIN = 7
"""Pixels around what is labelled that its frame does not tell the spread of."""
NOISE = np.array([1.26, 1.80, 2.39], np.float32)
"""The QUANTILES of the largest of three |N(0, 1)|: p ** (1/3) of one of them."""


class SceneViews(NamedTuple):
    """What a camera has learned of a scene, and the scene when the frame is taken.

    Attributes:
        bg: uint8 [S, S, 3].
        spread: uint8 [S, S, 3].
        now: float32 [S, S, 3] in 0..255.
    """

    bg: Image
    spread: Image
    now: Field


def observe(scene: Image, life: Life, rng: Rng) -> SceneViews:
    """Observe a scene for MOMENTS, without anything new; the background is their median or, in
    some, the scene as it is."""
    still = scene.astype(np.float32)
    moments = [to_image(life.moment(still, rng)) for _ in range(MOMENTS)]
    bg = scene
    if rng.random() < 0.6:
        ordered = np.sort(np.stack(moments), axis=0)
        bg = ordered[MOMENTS // 2]
    return SceneViews(bg, spread_of(moments, bg), life.moment(still, rng))


def pass_by(spread: Image, bg: Image, rng: Rng) -> Image:
    """The spread if things had passed that nobody left out: a band in the upper quantiles."""
    size = len(bg)
    band = np.zeros((size, size), np.uint8)
    ends = rng.integers(0, size, 4).tolist()
    cv2.line(band, tuple(ends[:2]), tuple(ends[2:]), 255, int(rng.integers(size // 24, size // 4)))
    colour = np.broadcast_to(rng.integers(0, 256, 3).astype(np.uint8), bg.shape)
    strayed = np.where(band > 0, deviation(bg, np.ascontiguousarray(colour)), 0).astype(np.uint8)
    spread = spread.copy()
    for channel in range(3 - int(rng.integers(1, 3)), 3):
        spread[..., channel] = np.maximum(spread[..., channel], strayed)
    return spread


def exposed(spread: Image, bg: Image, exposure: Exposure) -> Image:
    """The spread as a camera of some contrast and noise learns it: deviations add in squares.

    Args:
        spread: uint8 [H, W, 3].
        bg: uint8 [H, W, 3], for the strength of the noise (edge.calibrate.rendering.sensor).
        exposure: Of the frame.
    """
    table = exposure.table.astype(np.float32)
    contrast = float((table[192] - table[64]).mean() / 128)
    level = exposure.noise * np.sqrt(0.4 + bg.mean(-1, dtype=np.float32) / 160)
    wide = np.hypot(contrast * spread.astype(np.float32), level[..., None] * NOISE)
    return np.asarray(np.minimum(wide + 0.5, 255), np.uint8)


class LearnedSpreads(NamedTuple):
    """Spreads of a labelled sequence, uint8 [H, W, 3].

    Attributes:
        clean: Without what the labels call new, shadows included.
        crowded: Of all frames as they are.
    """

    clean: Image
    crowded: Image


def learned_spreads(samples: Sequence[Sample]) -> LearnedSpreads:
    """Measure both spreads of a labelled sequence from at most FRAMES of its samples."""
    chosen = samples[:: -(-len(samples) // FRAMES)]
    kernel = np.ones((2 * MARGIN + 1, 2 * MARGIN + 1), np.uint8)
    images = [sample.fg_bg for sample in chosen]
    empty: list[npt.NDArray[np.bool_]] = [
        cv2.dilate((sample.mask != BACKGROUND).astype(np.uint8), kernel) == 0 for sample in chosen
    ]
    bg = samples[0].bg
    return LearnedSpreads(spread_of(images, bg, empty), spread_of(images, bg))
