"""A camera's effects on an image: exposure, local light, sensor noise, blur and compression.

Every function takes and returns uint8 [H, W, 3] BGR and draws from the generator it is given.
Rendered scenes, composites and photometric augmentation share these functions.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from edge.samples.sample import Image

Rng = np.random.Generator

Table = npt.NDArray[np.uint8]
"""The output level of each input level and channel, uint8 [256, 3]."""


def looked_up(image: Image, table: Table) -> Image:
    """Return the image with the levels of each channel replaced by `table`."""
    return np.asarray(cv2.LUT(image, table[:, None, :]), np.uint8)


def light_table(
    rng: Rng,
    *,
    gain: tuple[float, float] = (0.75, 1.3),
    balance: float = 0.08,
    gamma: float = 0.2,
    offset: float = 8.0,
) -> Table:
    """Draw an exposure: one gain and gamma, a colour balance per channel and a black level.

    Args:
        rng: The generator to draw from.
        gain: Range of the common factor, uniform in its logarithm.
        balance: Standard deviation of the logarithm of each channel's own factor.
        gamma: Standard deviation of the logarithm of the exponent.
        offset: Standard deviation of the black level, in grey levels.
    """
    common = np.exp(rng.uniform(np.log(gain[0]), np.log(gain[1])))
    exponent = np.exp(rng.normal(0, gamma))
    level = rng.normal(0, offset)
    grey = np.arange(256, dtype=np.float64)[:, None] / 255
    factors = common * np.exp(rng.normal(0, balance, 3))
    table = 255 * (grey**exponent) * factors + level
    return np.asarray(np.clip(table, 0, 255).round(), np.uint8)


def lit(image: Image, coarse: npt.NDArray[np.float32]) -> Image:
    """Apply a smooth gain; `coarse` holds its logarithm on a grid over the image."""
    height, width = image.shape[:2]
    field = np.exp(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))
    changed = np.asarray(image * field[..., None], np.float32)
    return np.clip(changed, 0, 255).astype(np.uint8)


def local_light(rng: Rng, strength: float = 0.25) -> npt.NDArray[np.float32]:
    """Draw the grid for `lit`, as when a cloud or a lamp lights one side."""
    return rng.normal(0, strength, (3, 3)).astype(np.float32)


GRAINS = 1 << 21
"""Deviates in the shared series of sensor noise."""


@cache
def _grains() -> npt.NDArray[np.float32]:
    """Normal deviates, drawn once: drawing them per image took a quarter of the rendering time."""
    return np.random.default_rng(0).standard_normal(GRAINS, dtype=np.float32)


def noise(image: Image, rng: Rng, sigma: float) -> Image:
    """Add sensor noise of standard deviation `sigma` grey levels, stronger in bright areas.

    The noise is a random stretch of one long series of deviates; an image with more values than the
    series gets its own deviates.
    """
    if image.size < GRAINS:
        start = int(rng.integers(GRAINS - image.size))
        grain = _grains()[start : start + image.size].reshape(image.shape)
    else:
        grain = rng.standard_normal(image.shape, dtype=np.float32)
    level = sigma * np.sqrt(0.4 + image.astype(np.float32) / 160.0)
    return np.asarray(np.clip(image + grain * level + 0.5, 0, 255), np.uint8)


def blur(image: Image, sigma: float) -> Image:
    """Apply a Gaussian blur of `sigma` pixels: defocus or a moving camera head."""
    if sigma < 0.2:
        return image
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


def jpeg(image: Image, quality: int) -> Image:
    """Encode and decode the image as JPEG of the given quality, 1 to 100."""
    encoded, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    if not encoded:
        raise ValueError(f"cannot encode an image of shape {image.shape} as JPEG")
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
