"""Photometric augmentation: how `bg` and `fg_bg` of one camera differ, apart from foreground.

The parameters of each image are drawn as numbers (`Exposure`) and then applied to its pixels: with
OpenCV here, for a batch on the training GPU in train/augment/photometric_batch.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from edge.calibrate.rendering import sensor
from edge.calibrate.rendering.sensor import Rng, Table
from edge.image import translate
from edge.samples.sample import Image, Sample

MAX_OFFSET = 2.8
"""Largest camera offset between `bg` and the frame along each axis, in pixels."""
WHITE_BALANCE = 0.12
"""Sigma of the logarithm of a colour's gain; an automatic white balance reaches about 0.16."""
Grid = npt.NDArray[np.float32]
IDENTITY_TABLE: Table = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
NO_OFFSET = (0.0, 0.0)
EVEN_LIGHT: Grid = np.zeros((3, 3), np.float32)


@dataclass(frozen=True)
class Exposure:
    """Photometric parameters of one image, applied in this order; the defaults change nothing.

    Attributes:
        table: uint8 [256, 3], grey levels after light, exposure and white balance.
        offset: (dx, dy) of the image in pixels.
        light: float32 [3, 3], logarithm of the brightness on a coarse grid.
        blur: Sigma in pixels; below 0.2 there is no blur.
        noise: Sigma in grey levels.
        seed: Seed of the noise.
        quality: JPEG quality, 1 to 100; 0 for no compression.
    """

    table: Table = field(default_factory=lambda: IDENTITY_TABLE)
    offset: tuple[float, float] = NO_OFFSET
    light: Grid = field(default_factory=lambda: EVEN_LIGHT)
    blur: float = 0.0
    noise: float = 0.0
    seed: int = 0
    quality: int = 0


class ExposurePair(NamedTuple):
    """The exposures of the two images of a sample."""

    bg: Exposure
    fg_bg: Exposure


def augment(image: Image, exposure: Exposure) -> Image:
    """Apply an exposure to an image.

    Args:
        image: uint8 [H, W, 3] BGR.
        exposure: What is applied.

    Returns:
        uint8 [H, W, 3] BGR; the input itself where the exposure changes nothing.
    """
    if exposure.table is not IDENTITY_TABLE:
        image = sensor.looked_up(image, exposure.table)
    if any(exposure.offset):
        image = translate(image, *exposure.offset)
    if exposure.light is not EVEN_LIGHT:
        image = sensor.lit(image, exposure.light)
    image = sensor.blur(image, exposure.blur)
    if exposure.noise:
        image = sensor.noise(image, np.random.default_rng(exposure.seed), exposure.noise)
    return sensor.jpeg(image, exposure.quality) if exposure.quality else image


def grey(image: Image) -> Image:
    """The image of a camera without colours, uint8 [H, W, 3]."""
    luma = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.cvtColor(luma, cv2.COLOR_GRAY2BGR), np.uint8)


def haze(rng: Rng) -> tuple[Table, float]:
    """Draw fog, smoke or a thermal range: the table of a low contrast, and that contrast."""
    contrast = float(np.exp(rng.uniform(np.log(0.1), np.log(0.6))))
    middle, level = rng.uniform(60, 190), rng.uniform(60, 220)
    table = level + contrast * (np.arange(256) - middle)
    grey_levels = np.clip(table, 0, 255).round().astype(np.uint8)
    return np.repeat(grey_levels[:, None], 3, axis=1), contrast


def augment_sample(sample: Sample, exposures: ExposurePair) -> Sample:
    """Apply a pair of exposures to the two images of a sample."""
    bg, fg_bg = augment(sample.bg, exposures.bg), augment(sample.fg_bg, exposures.fg_bg)
    return replace(sample, bg=bg, fg_bg=fg_bg)


def random_exposures(rng: Rng) -> ExposurePair:
    """Draw exposures for a clean pair, as of one camera at two times, seconds or years apart."""
    bg, fg_bg = IDENTITY_TABLE, IDENTITY_TABLE
    most_noise = 9.0
    if rng.random() < 0.12:
        bg, contrast = haze(rng)
        fg_bg, most_noise = bg, max(0.8, 5 * contrast)
    elif rng.random() < 0.5:
        bg = fg_bg = sensor.light_table(rng, gain=(0.6, 1.3))
    offset, light = NO_OFFSET, EVEN_LIGHT
    if rng.random() < 0.45:
        offset = _random_offset(rng)
    if rng.random() < 0.7:
        table = sensor.light_table(rng, gain=(0.6, 1.5), balance=WHITE_BALANCE)
        fg_bg = table[fg_bg, [0, 1, 2]]
    if rng.random() < 0.3:
        light = sensor.local_light(rng)
    return ExposurePair(
        _random_recording(rng, most_noise, table=bg, offset=offset),
        _random_recording(rng, most_noise, table=fg_bg, light=light),
    )


def random_light_exposures(rng: Rng) -> ExposurePair:
    """Draw milder exposures for a pair that already shows a camera's noise and compression."""
    bg, table, offset, noise = IDENTITY_TABLE, IDENTITY_TABLE, NO_OFFSET, 0.0
    if rng.random() < 0.08:
        bg = table = haze(rng)[0]
    elif rng.random() < 0.5:
        table = sensor.light_table(rng, gain=(0.6, 1.5), balance=WHITE_BALANCE)
    if rng.random() < 0.4:
        offset = _random_offset(rng)
    if bg is IDENTITY_TABLE and rng.random() < 0.3:
        noise = rng.uniform(0.5, 6)
    return ExposurePair(Exposure(bg, offset), Exposure(table, noise=noise, seed=_random_seed(rng)))


def _random_offset(rng: Rng) -> tuple[float, float]:
    return rng.uniform(-MAX_OFFSET, MAX_OFFSET), rng.uniform(-MAX_OFFSET, MAX_OFFSET)


def _random_seed(rng: Rng) -> int:
    return int(rng.integers(1 << 31))


def _random_recording(
    rng: Rng,
    most_noise: float,
    *,
    table: Table,
    offset: tuple[float, float] = NO_OFFSET,
    light: Grid = EVEN_LIGHT,
) -> Exposure:
    """Draw blur of the lens, noise of the sensor and JPEG compression."""
    blur, noise, quality = 0.0, 0.0, 0
    if rng.random() < 0.3:
        blur = rng.uniform(0.3, 1.0)
    if rng.random() < 0.7:
        noise = float(np.exp(rng.uniform(np.log(0.7), np.log(most_noise))))
    if rng.random() < 0.5:
        quality = int(rng.integers(30, 91))
    return Exposure(table, offset, light, blur, noise, _random_seed(rng), quality)
