"""What differs between `bg` and `fg_bg` of one camera, beside what is new in the scene.

It is drawn picture by picture as numbers (`Exposure`) and then done to the pixels: here with
OpenCV, for a batch on the GPU that trains in train/spoil_batch.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from edge.calibrate.rendering import sensor
from edge.calibrate.rendering.sensor import Rng, Table
from edge.calibrate.rendering.shadow import darken, shadow_from_outside
from edge.image import translate
from edge.samples.sample import Image

MOVED = 2.8
"""A camera moves by at most so many pixels between `bg` and the frame, in each direction."""
BALANCE = 0.12
"""Spread of the logarithm of a colour's gain: an automatic white balance goes to about 0.16."""
Grid = npt.NDArray[np.float32]
UNCHANGED: Table = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
STILL = (0.0, 0.0)
EVEN: Grid = np.zeros((3, 3), np.float32)


@dataclass(frozen=True)
class Exposure:
    """How a camera takes one picture, in this order; the defaults leave it as it is.

    table:   uint8 [256, 3], grey levels after light, exposure and white balance.
    moved:   (dx, dy) in pixels.
    light:   float32 [3, 3], logarithm of the brightness from place to place.
    blur:    sigma in pixels; below 0.2 there is none.
    noise:   sigma in grey levels; seed: what its grains are drawn from.
    quality: of a JPEG encoder, 1 to 100; 0 for none.
    """

    table: Table = field(default_factory=lambda: UNCHANGED)
    moved: tuple[float, float] = STILL
    light: Grid = field(default_factory=lambda: EVEN)
    blur: float = 0.0
    noise: float = 0.0
    seed: int = 0
    quality: int = 0


Pair = tuple[Exposure, Exposure]
"""Of `bg` and of `fg_bg`."""


def exposed(picture: Image, by: Exposure) -> Image:
    """The picture, uint8 [H, W, 3], as it is taken."""
    if by.table is not UNCHANGED:
        picture = sensor.looked_up(picture, by.table)
    if any(by.moved):
        picture = translate(picture, *by.moved)
    if by.light is not EVEN:
        picture = sensor.lit(picture, by.light)
    picture = sensor.blur(picture, by.blur)
    if by.noise:
        picture = sensor.noise(picture, np.random.default_rng(by.seed), by.noise)
    return sensor.jpeg(picture, by.quality) if by.quality else picture


def drawn(rng: Rng) -> Pair:
    """For a clean pair: a camera takes it at two times, years or seconds apart."""
    bg, fg_bg = UNCHANGED, UNCHANGED
    if rng.random() < 0.5:
        bg = fg_bg = sensor.light_table(rng, gain=(0.6, 1.3))
    moved, light = STILL, EVEN
    if rng.random() < 0.45:
        moved = _moved(rng)
    if rng.random() < 0.7:
        fg_bg = sensor.light_table(rng, gain=(0.6, 1.5), balance=BALANCE)[fg_bg, [0, 1, 2]]
    if rng.random() < 0.3:
        light = sensor.local_light(rng)
    return _recorded(rng, table=bg, moved=moved), _recorded(rng, table=fg_bg, light=light)


def drawn_lightly(rng: Rng) -> Pair:
    """For a pair that a real camera took: more variety."""
    table, moved, noise = UNCHANGED, STILL, 0.0
    if rng.random() < 0.5:
        table = sensor.light_table(rng, gain=(0.6, 1.5), balance=BALANCE)
    if rng.random() < 0.4:
        moved = _moved(rng)
    if rng.random() < 0.3:
        noise = rng.uniform(0.5, 6)
    return Exposure(moved=moved), Exposure(table, noise=noise, seed=_seed(rng))


def shaded(picture: Image, rng: Rng) -> Image:
    """A square picture with the shadow of something outside it."""
    scene = picture.astype(np.float32)
    darken(scene, shadow_from_outside(len(picture), rng), rng.uniform(0.15, 0.65))
    return (scene + 0.5).astype(np.uint8)


def _moved(rng: Rng) -> tuple[float, float]:
    return rng.uniform(-MOVED, MOVED), rng.uniform(-MOVED, MOVED)


def _seed(rng: Rng) -> int:
    return int(rng.integers(1 << 31))


def _recorded(
    rng: Rng,
    *,
    table: Table,
    moved: tuple[float, float] = STILL,
    light: Grid = EVEN,
) -> Exposure:
    """Lens, sensor and compression."""
    blur, noise, quality = 0.0, 0.0, 0
    if rng.random() < 0.3:
        blur = rng.uniform(0.3, 1.0)
    if rng.random() < 0.7:
        noise = float(np.exp(rng.uniform(np.log(0.7), np.log(9))))
    if rng.random() < 0.5:
        quality = int(rng.integers(30, 91))
    return Exposure(table, moved, light, blur, noise, _seed(rng), quality)
