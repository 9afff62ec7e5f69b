"""What differs between `bg` and `fg_bg` of one camera, beside what is new in the scene."""

from __future__ import annotations

import cv2
import numpy as np

from edge.samples import sensor
from edge.samples.cutouts import Field
from edge.samples.sample import Picture
from edge.samples.sensor import Rng


def spoiled_pair(bg: Picture, fg_bg: Picture, rng: Rng) -> tuple[Picture, Picture]:
    """A clean pair as a camera would have taken it at two times, uint8 [H, W, 3] BGR each."""
    if rng.random() < 0.5:
        state = rng.bit_generator.state
        bg = sensor.light(bg, rng, gain=(0.6, 1.3))
        rng.bit_generator.state = state
        fg_bg = sensor.light(fg_bg, rng, gain=(0.6, 1.3))
    if rng.random() < 0.6:
        dx, dy = rng.uniform(-2.5, 2.5, 2)
        bg = sensor.shift(bg, dx, dy)
    if rng.random() < 0.7:
        fg_bg = sensor.light(fg_bg, rng, gain=(0.6, 1.5))
    if rng.random() < 0.3:
        fg_bg = sensor.local_light(fg_bg, rng)
    return _recorded(bg, rng), _recorded(fg_bg, rng)


def swayed(scene: Field, rng: Rng) -> Field:
    """A scene, float32 [H, W, 3], in a part of which everything moved by up to some pixels, each
    place differently: leaves in the wind, a curtain, water."""
    height, width = scene.shape[:2]
    part = np.zeros((height, width), np.float32)
    centre = int(rng.integers(0, width)), int(rng.integers(0, height))
    axes = tuple(int(v) for v in rng.integers(min(height, width) // 10, min(height, width), 2))
    cv2.ellipse(part, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
    part = np.asarray(cv2.blur(part, (15, 15)), np.float32) * np.float32(rng.uniform(0.7, 3.0))
    cells = int(rng.integers(4, 30))
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    away = rng.standard_normal((2, cells, cells), dtype=np.float32)
    dy, dx = (cv2.resize(one, (width, height), interpolation=cv2.INTER_CUBIC) for one in away)
    moved = cv2.remap(
        scene,
        columns + part * dx,
        rows + part * dy,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    return np.asarray(moved, np.float32)


def lightly_spoiled_pair(bg: Picture, fg_bg: Picture, rng: Rng) -> tuple[Picture, Picture]:
    """More variety for a pair that a real camera took."""
    if rng.random() < 0.5:
        fg_bg = sensor.light(fg_bg, rng, gain=(0.6, 1.5))
    if rng.random() < 0.3:
        bg = sensor.shift(bg, *rng.uniform(-2.0, 2.0, 2))
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
