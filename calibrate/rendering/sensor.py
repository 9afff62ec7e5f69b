"""What stands between a scene and its pixels: light, sensor noise, blur, compression, shake.

Every function takes and gives uint8 [H, W, 3] BGR and draws from the generator it is given, so
that rendered scenes, composites and training pairs are spoiled in the same, repeatable way.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from edge.samples.sample import Image

Rng = np.random.Generator


Table = npt.NDArray[np.uint8]
"""A new grey level for each old one, uint8 [256, 3]."""


def looked_up(image: Image, table: Table) -> Image:
    """The picture with each channel's grey levels replaced."""
    return np.asarray(cv2.LUT(image, table[:, None, :]), np.uint8)


def light_table(
    rng: Rng,
    *,
    gain: tuple[float, float] = (0.75, 1.3),
    balance: float = 0.08,
    gamma: float = 0.2,
    offset: float = 8.0,
) -> Table:
    """Other exposure: one gain and gamma, a colour balance per channel, a black level.

    gain:    range of the common factor, drawn evenly in its logarithm.
    balance: standard deviation of the logarithm of each channel's own factor.
    gamma:   standard deviation of the logarithm of the exponent.
    offset:  standard deviation of the black level in grey levels.
    """
    common = np.exp(rng.uniform(np.log(gain[0]), np.log(gain[1])))
    exponent = np.exp(rng.normal(0, gamma))
    level = rng.normal(0, offset)
    grey = np.arange(256, dtype=np.float64)[:, None] / 255
    factors = common * np.exp(rng.normal(0, balance, 3))
    table = 255 * (grey**exponent) * factors + level
    return np.asarray(np.clip(table, 0, 255).round(), np.uint8)


def lit(image: Image, coarse: npt.NDArray[np.float32]) -> Image:
    """A smooth change of brightness: `coarse` holds its logarithm on a grid over the picture."""
    height, width = image.shape[:2]
    field = np.exp(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))
    changed = np.asarray(image * field[..., None], np.float32)
    return np.clip(changed, 0, 255).astype(np.uint8)


def local_light(rng: Rng, strength: float = 0.25) -> npt.NDArray[np.float32]:
    """A grid for `lit`, as when a cloud or a lamp lights one side."""
    return rng.normal(0, strength, (3, 3)).astype(np.float32)


GRAINS = 1 << 21


@cache
def _grains() -> npt.NDArray[np.float32]:
    """Normal deviates, drawn once: drawing them for each picture was a quarter of making it."""
    return np.random.default_rng(0).standard_normal(GRAINS, dtype=np.float32)


def noise(image: Image, rng: Rng, sigma: float) -> Image:
    """Sensor noise of standard deviation `sigma` grey levels, stronger where it is brighter.

    A random stretch of one long series of deviates; pictures that are longer than it get their own.
    """
    if image.size < GRAINS:
        start = int(rng.integers(GRAINS - image.size))
        grain = _grains()[start : start + image.size].reshape(image.shape)
    else:
        grain = rng.standard_normal(image.shape, dtype=np.float32)
    level = sigma * np.sqrt(0.4 + image.astype(np.float32) / 160.0)
    return np.asarray(np.clip(image + grain * level + 0.5, 0, 255), np.uint8)


def blur(image: Image, sigma: float) -> Image:
    """Gaussian blur of `sigma` pixels (an unsharp lens, a moving camera head)."""
    if sigma < 0.2:
        return image
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


def jpeg(image: Image, quality: int) -> Image:
    """The picture after one pass through a JPEG encoder of the given quality (1 to 100)."""
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    if not done:
        raise ValueError(f"cannot encode a picture of shape {image.shape} as JPEG")
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
