"""The light of a scene: compared, and looked through."""

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
SIDE = 320
"""Longer side at which images are compared."""
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
