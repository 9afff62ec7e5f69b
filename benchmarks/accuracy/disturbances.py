"""What a camera does to a picture without anything new in the scene, one thing at a time.

Each takes the background, the frame and a generator, uint8 [H, W, 3] BGR, and gives both as they
would have been recorded.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from edge.calibrate.rendering import sensor
from edge.calibrate.rendering.sensor import Rng
from edge.calibrate.rendering.shadow import darken, shadow_from_outside
from edge.image import translate
from edge.samples.sample import Image

Pair = tuple[Image, Image]
Disturbance = Callable[[Image, Image, Rng], Pair]


def _table(picture: Image, values: npt.NDArray[np.float64]) -> Image:
    """values: [256] or [256, 3], a new grey level for each old one."""
    levels = np.clip(values, 0, 255).round().astype(np.uint8)
    return sensor.looked_up(picture, np.broadcast_to(levels.reshape(256, -1), (256, 3)))


LEVELS = np.arange(256, dtype=np.float64)


def _gain(factor: float) -> Disturbance:
    return lambda bg, frame, rng: (bg, _table(frame, LEVELS * factor))


def _white_balance(bg: Image, frame: Image, rng: Rng) -> Pair:
    """The camera took the light for warmer than before: blue up by 15 %, red down by 15 %."""
    return bg, _table(frame, LEVELS[:, None] * np.array([1.15, 1.0, 0.85]))


def _gamma(exponent: float) -> Disturbance:
    return lambda bg, frame, rng: (bg, _table(frame, 255 * (LEVELS / 255) ** exponent))


def _shadow(bg: Image, frame: Image, rng: Rng) -> Pair:
    """A shadow of something outside the picture, half as bright as its surroundings."""
    side = 256
    height, width = frame.shape[:2]
    field = cv2.resize(shadow_from_outside(side, rng), (width, height))
    scene = frame.astype(np.float32)
    darken(scene, np.asarray(field, np.float32), 0.5)
    return bg, scene.round().astype(np.uint8)


def _noise(bg: Image, frame: Image, rng: Rng) -> Pair:
    return bg, sensor.noise(frame, rng, 8.0)


def _jpeg(bg: Image, frame: Image, rng: Rng) -> Pair:
    return bg, sensor.jpeg(frame, 30)


def _old_background(bg: Image, frame: Image, rng: Rng) -> Pair:
    """The background is an hour old: 10 % darker, a little yellower, lit from another side."""
    older = _table(bg, LEVELS[:, None] * 0.9 * np.array([0.95, 1.0, 1.03]))
    return sensor.lit(older, sensor.local_light(rng, 0.12)), frame


def _shift(bg: Image, frame: Image, rng: Rng) -> Pair:
    """The camera turned a little: 2 pixels of a picture 224 wide, in a random direction."""
    angle, reach = rng.uniform(0, 2 * np.pi), 2 * frame.shape[1] / 224
    return translate(bg, reach * np.cos(angle), reach * np.sin(angle)), frame


DISTURBANCES: dict[str, Disturbance] = {
    "40 % darker": _gain(0.6),
    "20 % darker": _gain(0.8),
    "20 % brighter": _gain(1.2),
    "40 % brighter": _gain(1.4),
    "white balance": _white_balance,
    "gamma 0.7": _gamma(0.7),
    "gamma 1.4": _gamma(1.4),
    "a shadow alone": _shadow,
    "noise of 8 levels": _noise,
    "JPEG quality 30": _jpeg,
    "background an hour old": _old_background,
    "moved by 2 pixels": _shift,
}
STEADIED = {"moved by 2 pixels": "moved by 2 pixels, laid over"}
"""Disturbances that are also measured behind edge.Stabilizer, and what that is called."""
