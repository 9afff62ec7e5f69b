"""What differs between `bg` and `fg_bg` of one camera, beside what is new in the scene."""

from __future__ import annotations

import numpy as np

from edge.samples import sensor
from edge.samples.sample import Picture
from edge.samples.sensor import Rng
from edge.samples.shadows import darken, loose_shadow

MOVED = 2.8
"""A camera moves by at most so many pixels between `bg` and the frame, in each direction."""
BALANCE = 0.12
"""Spread of the logarithm of a colour's gain: an automatic white balance goes to about 0.16."""


def shaded(image: Picture, rng: Rng) -> Picture:
    """A square picture with the shadow of something outside it."""
    scene = image.astype(np.float32)
    darken(scene, loose_shadow(len(image), rng), rng.uniform(0.15, 0.65))
    return (scene + 0.5).astype(np.uint8)


def spoiled_pair(bg: Picture, fg_bg: Picture, rng: Rng) -> tuple[Picture, Picture]:
    """A clean pair as a camera would have taken it at two times, uint8 [H, W, 3] BGR each."""
    if rng.random() < 0.5:
        state = rng.bit_generator.state
        bg = sensor.light(bg, rng, gain=(0.6, 1.3))
        rng.bit_generator.state = state
        fg_bg = sensor.light(fg_bg, rng, gain=(0.6, 1.3))
    if rng.random() < 0.45:
        bg = sensor.shift(bg, *rng.uniform(-MOVED, MOVED, 2))
    if rng.random() < 0.7:
        fg_bg = sensor.light(fg_bg, rng, gain=(0.6, 1.5), balance=BALANCE)
    if rng.random() < 0.3:
        fg_bg = sensor.local_light(fg_bg, rng)
    return _recorded(bg, rng), _recorded(fg_bg, rng)


def lightly_spoiled_pair(bg: Picture, fg_bg: Picture, rng: Rng) -> tuple[Picture, Picture]:
    """More variety for a pair that a real camera took."""
    if rng.random() < 0.5:
        fg_bg = sensor.light(fg_bg, rng, gain=(0.6, 1.5), balance=BALANCE)
    if rng.random() < 0.25:
        fg_bg = shaded(fg_bg, rng)
    if rng.random() < 0.4:
        bg = sensor.shift(bg, *rng.uniform(-MOVED, MOVED, 2))
    if rng.random() < 0.3:
        fg_bg = sensor.noise(fg_bg, rng, rng.uniform(0.5, 6))
    return bg, fg_bg


def _recorded(image: Picture, rng: Rng) -> Picture:
    if rng.random() < 0.3:
        image = sensor.blur(image, rng.uniform(0.3, 1.0))
    if rng.random() < 0.7:
        image = sensor.noise(image, rng, float(np.exp(rng.uniform(np.log(0.7), np.log(9)))))
    if rng.random() < 0.5:
        image = sensor.jpeg(image, int(rng.integers(30, 91)))
    return image
