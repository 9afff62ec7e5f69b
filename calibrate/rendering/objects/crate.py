"""Boxes that stand on the floor, such as crates and suitcases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.calibrate.rendering.rays import Array, Box, vector
from edge.calibrate.rendering.scene_object import ObjectKind, Part
from edge.calibrate.rendering.textures import colour


@dataclass(frozen=True)
class Crate:
    """A box with a lid; size is width, height and depth in metres, turn in radians."""

    size: Array
    colour: Array
    turn: float
    lid: Array

    def parts(self, since: float, path: Array, speed: float) -> list[Part]:
        """Return the box and its lid at the first point of the path."""
        base = path[0]
        top = base + vector(0, float(self.size[1]), 0)
        lid = np.asarray(self.size * vector(1.04, 0, 1.04) + vector(0, 0.04, 0), np.float32)
        return [
            Part(Box(base, self.size, self.turn), self.colour, 6.0),
            Part(Box(np.asarray(top, np.float32), lid, self.turn), self.lid),
        ]


def draw(rng: np.random.Generator) -> Crate:
    """Draw the size, orientation and colours of a crate."""
    return Crate(
        size=vector(rng.uniform(0.3, 0.8), rng.uniform(0.3, 1.0), rng.uniform(0.3, 0.7)),
        colour=colour(rng, (0.04, 0.6), 0.4),
        turn=float(rng.uniform(0, np.pi)),
        lid=colour(rng, (0.03, 0.4), 0.2),
    )


KIND = ObjectKind(weight=0.25, draw=draw)
