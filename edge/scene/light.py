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


def relit(bg: Image, image: Image, covered: Bools) -> Image:
    """An image of a scene in another light, and behind what covers it the former background.

    Args:
        bg: uint8 [H, W, 3] BGR, the former background.
        image: of the same size, in the new light.
        covered: bool [H, W], where things stand in the image.

    Returns:
        uint8 [H, W, 3]: the image; where it is covered the background, by the ratio of both around.
    """
    if not covered.any():
        return np.array(image)
    if light_of(image).colour < COLOURLESS * light_of(bg).colour:
        bg = np.asarray(cv2.cvtColor(cv2.cvtColor(bg, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR))
    seen = (~covered)[..., None].astype(np.float32)
    sums = []
    for plane in (image, bg):
        light = (plane + np.float32(DARK)) * seen
        cells = cv2.resize(light, CELLS[::-1], interpolation=cv2.INTER_AREA)
        # Cells without a seen pixel around them have the ratio of the whole.
        sums.append(cv2.GaussianBlur(cells, (0, 0), 1.0) + 0.02 * cells.mean((0, 1)) + 1e-3)
    ratio = sums[0] / sums[1]
    gain = cv2.resize(ratio, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    guess = np.clip((bg + np.float32(DARK)) * gain - DARK, 0, 255).astype(np.uint8)
    return np.asarray(np.where(covered[..., None], guess, image), np.uint8)
