"""How an empty scene lives: water, leaves, a trembling camera, flickering light, screens.

A `Life` is drawn once for a scene and then gives the scene at any number of moments. Scenes are
float32 [S, S, 3] in 0..255.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.calibrate.rendering.sensor import Rng
from edge.calibrate.rendering.shadow import Field, shadow_from_outside
from edge.samples.sample import Image


@dataclass(frozen=True)
class Life:
    """What moves in a scene while nothing new is there.

    Attributes:
        region: float32 [S, S] in 0..1, where the texture moves.
        sway: Standard deviation of its displacement in pixels; 0 for none.
        cells: (rows, columns) of the displacement's grid: many for leaves, few rows for waves.
        shimmer: Standard deviation of the logarithm of its brightness.
        tremble: Standard deviation of the camera's displacement in pixels.
        flicker: Standard deviation of the logarithm of the whole image's brightness.
    """

    region: Field
    sway: float = 0.0
    cells: tuple[int, int] = (8, 8)
    shimmer: float = 0.0
    tremble: float = 0.0
    flicker: float = 0.0

    def moment(self, scene: Field, rng: Rng) -> Field:
        """The scene at a random moment, a new array."""
        size = scene.shape[0]
        now = scene
        if self.sway or self.tremble:
            y, x = np.mgrid[:size, :size].astype(np.float32)
            dx, dy = rng.normal(0, self.tremble, 2).astype(np.float32)
            if self.sway:
                grid = rng.normal(0, self.sway, (2, *self.cells)).astype(np.float32)
                move = [_enlarged(axis, size) * self.region for axis in grid]
                x, y = x + move[0], y + move[1]
            now = np.asarray(
                cv2.remap(now, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT),
                np.float32,
            )
        gain = np.float32(rng.normal(0, self.flicker)) if self.flicker else np.float32(0)
        if self.shimmer:
            light = _enlarged(rng.normal(0, self.shimmer, self.cells).astype(np.float32), size)
            now = now * np.exp(gain + light * self.region)[..., None]
        elif self.flicker:
            now = now * np.exp(gain)
        return np.asarray(now, np.float32)


def _enlarged(grid: Field, size: int) -> Field:
    return np.asarray(cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)


def random_life(size: int, rng: Rng) -> Life:
    """Draw the life of a scene: moving texture in most, a trembling camera in half of them,
    flickering light in a few.

    Args:
        size: Side of the scene in pixels.
        rng: Source of all that is random.
    """
    region: Field = np.zeros((size, size), np.float32)
    sway = shimmer = tremble = flicker = 0.0
    cells = (8, 8)
    kind = rng.random()
    if kind < 0.6:
        for _ in range(int(rng.integers(1, 4))):
            region = np.maximum(region, shadow_from_outside(size, rng))
        if rng.random() < 0.15:
            region[:] = 1  # turbulent air, rain
        sway = float(np.exp(rng.uniform(np.log(0.5), np.log(5))))
        cell = np.exp(rng.uniform(np.log(4), np.log(24), 2))
        cells = (max(2, round(size / cell[0])), max(2, round(size / cell[1])))
        if rng.random() < 0.7:
            shimmer = float(np.exp(rng.uniform(np.log(0.02), np.log(0.35))))
    if kind > 0.45:
        tremble = float(np.exp(rng.uniform(np.log(0.3), np.log(4))))
    if rng.random() < 0.25:
        flicker = float(rng.uniform(0.01, 0.12))
    return Life(region, sway, cells, shimmer, tremble, flicker)


def to_image(scene: Field) -> Image:
    """Round a scene to uint8."""
    return np.asarray(np.clip(scene + 0.5, 0, 255), np.uint8)
