"""The light of a scene: compared, and put on what nobody saw in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.samples.sample import Image

CELLS = (12, 16)
"""Rows and columns of the cells whose mean colours are the light of a scene."""
DARK = 8.0
"""Grey levels that are added before light is compared as a ratio: noise in the dark is none."""
COLOURFUL, COLOURLESS = 5.0, 0.25
"""Mean distance of the cells' channels from grey from which colour can be missed, and the share of
it below which it is: infrared."""
BANDS, SIDE = 32, 320
"""Bands of brightness that change by a ratio of their own, and longer side at which images are
compared."""
AROUND, STRUCTURE, REST = 5 / 180, 2.0, 6.0
"""Pixels around one that are compared, as a share of the shorter side; their deviation in grey
levels below which they are plain; grey levels that gain and offset may leave unexplained."""
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Light:
    """The light of a scene.

    Attributes:
        levels: float32 [rows, columns, 3], logarithms of the mean colours of CELLS.
        colour: mean distance of the cells' channels from grey.
    """

    levels: Floats
    colour: float

    def distance(self, other: Light) -> float:
        """How different two lights are: the median ratio, as a logarithm; infinite between colour
        and none. People in front of less than half of the scene change little."""
        low, high = sorted((self.colour, other.colour))
        if high > COLOURFUL and low < COLOURLESS * high:
            return math.inf
        return float(np.median(np.abs(self.levels - other.levels)))


def light_of(image: Image) -> Light:
    """The light of an image, uint8 [H, W, 3] BGR."""
    step = max(1, min(image.shape[0] // (4 * CELLS[0]), image.shape[1] // (4 * CELLS[1])))
    thin = np.ascontiguousarray(image[::step, ::step])
    cells = cv2.resize(thin, CELLS[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
    return Light(np.log(cells + DARK), float((cells.max(2) - cells.min(2)).mean()))


def relit(bg: Image, image: Image, covered: Bools, bands: int = BANDS) -> Image:
    """An image of a scene in another light, and behind what covers it the former background.

    The light of a covered pixel is the ratio of both of pixels near it that were as bright: a wall
    and the ground before it, or a shadow and what is around it, change by different ratios.

    Args:
        bg: uint8 [H, W, 3] BGR, the former background.
        image: of the same size, in the new light.
        covered: bool [H, W], where things stand in the image.
        bands: of brightness. 1: brightness does not matter; what is lit again and again would get
            more and more contrast.

    Returns:
        uint8 [H, W, 3]: the image; where it is covered the background in the new light.
    """
    if not covered.any():
        return np.array(image)
    if light_of(image).colour < COLOURLESS * light_of(bg).colour:
        bg = np.asarray(cv2.cvtColor(cv2.cvtColor(bg, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR))
    scale = min(1.0, SIDE / max(covered.shape))
    height, width = (max(1, round(scale * length)) for length in covered.shape)
    size = (width, height)
    small_image, small_bg = (
        np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)
        for plane in (image, bg)
    )
    share = cv2.resize((~covered).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    brightness = _soft_grey(small_bg) * np.float32(bands / 256)
    # At the rim a reduced pixel mixes what is seen with what is not.
    gains = _gains(small_image, small_bg, brightness.astype(np.intp), np.asarray(share == 1), bands)
    gain = np.zeros((height, width, 3), np.float32)
    middle = np.clip(brightness, 0.5, bands - 0.5) - np.float32(0.5)
    needed = middle[cv2.dilate((share < 1).view(np.uint8), np.ones((3, 3), np.uint8)) > 0]
    for band in range(int(needed.min()), int(needed.max()) + 2):
        if band < bands:
            plane = cv2.resize(gains[band], size, interpolation=cv2.INTER_LINEAR)
            gain += np.maximum(1 - np.abs(middle - np.float32(band)), 0)[..., None] * plane
    full = cv2.resize(gain, covered.shape[::-1], interpolation=cv2.INTER_LINEAR)
    made = np.array(image)
    guess = (bg[covered] + np.float32(DARK)) * full[covered] - np.float32(DARK)
    made[covered] = np.rint(np.clip(guess, 0, 255))
    return made


def _gains(
    image: Floats, bg: Floats, band: npt.NDArray[np.intp], seen: Bools, bands: int
) -> Floats:
    """Ratios of the lights of what is seen, float32 [bands, rows, columns, 3]: in each band of
    brightness that of near cells and bands, and where those were not seen of farther ones."""
    rows, columns = CELLS
    row, column = (
        np.arange(length) * cells // length for length, cells in zip(seen.shape, CELLS, strict=True)
    )
    cell = ((band * rows + row[:, None]) * columns + column)[seen]
    lights = np.concatenate([image, bg], 2)[seen] + np.float32(DARK)
    sums = np.stack(
        [np.bincount(cell, light, bands * rows * columns) for light in lights.T], -1
    ).astype(np.float32)
    sums = sums.reshape(bands, rows, columns, 6) / np.float32(seen.size / (rows * columns))
    apart = np.subtract.outer(np.arange(bands), np.arange(bands))
    mixed = np.tensordot(np.exp(-0.5 * apart**2).astype(np.float32), sums, 1)

    def near(planes: Floats, cells: float) -> Floats:
        return np.stack([cv2.GaussianBlur(plane, (0, 0), cells) for plane in planes])

    place = near(sums.sum(0, keepdims=True), 1.0) + 0.02 * sums.sum(0).mean((0, 1)) + 1e-3
    found = near(mixed, 1.0) + 0.02 * near(mixed, 4.0) + 1e-3 * place
    return np.asarray(found[..., :3] / found[..., 3:], np.float32)


def same_structure(a: Image, b: Image, least: float) -> Bools:
    """Where two images, uint8 [H, W, 3] BGR, show the same, whatever the light is.

    Args:
        least: correlation around a pixel from which they do.

    Returns:
        bool [H, W]: one is the other by a gain and an offset there. False where one is plain, and
        where the light changes within a few pixels, as at the rim of a shadow.
    """
    scale = min(1.0, SIDE / max(a.shape[:2]))
    size = tuple(max(1, round(scale * length)) for length in a.shape[1::-1])
    side = 2 * max(2, round(AROUND * min(size))) + 1

    def small(image: Image) -> Floats:
        reduced = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.blur(reduced.astype(np.float32), (3, 3)), np.float32)

    def mean(plane: Floats) -> Floats:
        return np.asarray(cv2.blur(plane, (side, side)), np.float32)

    x, y = small(a), small(b)
    mean_x, mean_y = mean(x), mean(y)
    both, of_x, of_y = (
        (mean(p * q) - m * n).mean(2)
        for p, q, m, n in ((x, y, mean_x, mean_y), (x, x, mean_x, mean_x), (y, y, mean_y, mean_y))
    )
    same = both > least * np.sqrt(np.maximum(of_x * of_y, 0))
    same &= np.minimum(of_x, of_y) > STRUCTURE**2
    gain = (both / np.maximum(of_y, STRUCTURE**2))[..., None]
    same &= np.abs(x - mean_x - gain * (y - mean_y)).max(2) < REST
    found = cv2.resize(same.view(np.uint8), a.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(found, np.bool_)


def _soft_grey(image: Floats) -> Floats:
    """Brightness without the noise of single pixels."""
    return np.asarray(cv2.blur(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (3, 3)), np.float32)
