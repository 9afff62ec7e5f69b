"""The layout of a scene: bounds, camera pose, lamps, furniture and surfaces, drawn from a seed.

The order of the random draws is part of every rendered sample: a change of it changes pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.calibrate.rendering import textures as tx
from edge.calibrate.rendering.rays import Array, Box, PinholeCamera, Plane, vector

Range = tuple[float, float]
Rng = np.random.Generator

BOUNDS: dict[str, tuple[Range, Range, Range]] = {
    "room": ((1.5, 4), (1.5, 4), (6, 10)),
    "corridor": ((0.9, 1.4), (0.9, 1.6), (12, 24)),
    "yard": ((5, 9), (5, 9), (12, 22)),
}
"""Metres from the camera to the left wall, the right wall and the end, per kind of scene."""

KINDS = tuple(BOUNDS)
WALL_OUTDOORS = 3.2
"""Height in metres at which the side walls of a yard end and the sky begins."""


@dataclass(frozen=True)
class Lamp:
    """A point light: position in metres and power."""

    position: Array
    power: float


@dataclass(frozen=True)
class Surface:
    """A solid of the empty scene.

    Attributes:
        across, up: Directions of the texture's u and v, float32 [3].
        glow: Share of the colour that is emitted, 0..1.
        top: Height in metres above which a plane ends; None where it does not end.
    """

    solid: Plane | Box
    texture: tx.Texture
    across: Array
    up: Array
    glow: float = 0.0
    top: float | None = None


class Layout:
    """The empty scene in metres, without pixels."""

    def __init__(self, kind: str, rng: Rng, size: tuple[int, int]) -> None:
        """Draw a layout.

        Args:
            kind: One of KINDS.
            rng: The generator of the scene.
            size: (height, width) of the image in which the floor points are visible.
        """
        self.kind, self.size, self.outdoors = kind, size, kind == "yard"
        self.noise = tx.Noise(rng)
        left, right, end = (float(rng.uniform(*limits)) for limits in BOUNDS[kind])
        self.bounds = (-left, right, end)
        self.ceiling = 40.0 if self.outdoors else float(rng.uniform(2.7, 3.4))
        self.camera = self._place_camera(rng)
        self.lamps = self._place_lamps(rng)
        self.ambient = float(rng.uniform(0.22, 0.4)) * (1.3 if self.outdoors else 1.0)
        self.furniture = self._place_furniture(rng)
        self.surfaces = self._place_surfaces(rng)

    def free_path(self, rng: Rng) -> Array:
        """Return two points on the floor with no furniture between them, float32 [2, 3]."""
        path = np.stack([vector(0, 0, 0.4 * self.bounds[2]), vector(0, 0, 0.7 * self.bounds[2])])
        for _ in range(40):
            path = np.stack([self._floor_point(rng, 0.45), self._floor_point(rng, 0.45)])
            way = path[0] + np.linspace(0, 1, 24, dtype=np.float32)[:, None] * (path[1] - path[0])
            margin = vector(0.35, 0, 0.35)
            clear = all(
                (np.abs(box.local(way))[:, ::2] > (box.size / 2 + margin)[::2]).any(axis=1).all()
                for box in self.furniture
            )
            if clear and np.linalg.norm(path[1] - path[0]) > 0.6:
                break
        return path.astype(np.float32)

    def _floor_point(self, rng: Rng, margin: float) -> Array:
        """A point on the floor that is well inside the image."""
        left, right, end = self.bounds
        for _ in range(60):
            z = float(np.exp(rng.uniform(np.log(1.8), np.log(0.92 * end))))
            point = vector(rng.uniform(left + margin, right - margin), 0, z)
            x, y = self.camera.project(point[None], *self.size)[0]
            if 0.06 * self.size[1] < x < 0.94 * self.size[1] and y < 1.08 * self.size[0]:
                return point
        return vector((left + right) / 2, 0, 0.5 * end)

    def _place_camera(self, rng: Rng) -> PinholeCamera:
        left, right, end = self.bounds
        height = rng.uniform(3, 5) if self.outdoors else rng.uniform(2.2, self.ceiling - 0.25)
        side = rng.uniform(-0.6, 0.6) * min(-left, right)
        aim = rng.uniform(0.35, 0.55) * end
        return PinholeCamera(
            vector(side, height, 0.15),
            pitch=float(np.arctan2(height - 0.8, aim)),
            yaw=float(np.arctan2(-side, aim) + rng.uniform(-0.12, 0.12)),
            field_of_view=float(np.radians(rng.uniform(42, 66))),
        )

    def _place_lamps(self, rng: Rng) -> list[Lamp]:
        """Ceiling lamps, or one distant sun."""
        left, right, end = self.bounds
        if self.outdoors:
            sun = vector(rng.uniform(-1, 1) * 300, rng.uniform(250, 400), rng.uniform(-250, 100))
            return [Lamp(sun, float(rng.uniform(0.5, 0.9)))]
        count = 2 if self.kind == "room" else 3
        return [
            Lamp(
                vector(rng.uniform(0.6 * left, 0.6 * right), self.ceiling - 0.05, z),
                float(rng.uniform(0.55, 1.0)),
            )
            for z in np.linspace(0.15, 0.85, count) * end
        ]

    def _place_furniture(self, rng: Rng) -> list[Box]:
        left, right, end = self.bounds
        boxes = []
        for _ in range(int(rng.integers(2, 6)) if self.kind != "corridor" else 2):
            tall = float(rng.choice([0.45, 0.75, 1.1, 1.9], p=[0.2, 0.4, 0.2, 0.2]))
            size = vector(rng.uniform(0.4, 1.3), tall, rng.uniform(0.35, 0.8))
            wall = rng.random()
            z = rng.uniform(0.35, 0.95) * end
            x = left + size[0] / 2 if wall < 0.5 else right - size[0] / 2
            turn = 0.0
            if self.kind == "room" and wall > 0.6:
                x, turn = rng.uniform(0.5 * left, 0.5 * right), rng.uniform(0, np.pi)
            boxes.append(Box(vector(x, 0, z), size, float(turn)))
        if self.kind != "corridor" and rng.random() < 0.5:
            thick = rng.uniform(0.25, 0.45)
            base = self._floor_point(rng, 0.8)
            boxes.append(Box(base, vector(thick, min(self.ceiling, 6.0), thick)))
        return boxes

    def _place_surfaces(self, rng: Rng) -> list[Surface]:
        left, right, end = self.bounds
        x, y, z = vector(1, 0, 0), vector(0, 1, 0), vector(0, 0, 1)
        top = WALL_OUTDOORS if self.outdoors else None
        surfaces = [
            Surface(Plane(y, 0.0), self._floor(rng), x, z),
            Surface(Plane(-z, -end), self._wall(rng, right - left), x, y),
            Surface(Plane(x, left), self._wall(rng, end), z, y, top=top),
            Surface(Plane(-x, -right), self._wall(rng, end), z, y, top=top),
        ]
        if not self.outdoors:
            tiles = tx.tiled(vector(0.7, 0.72, 0.72), self.noise, (0.6, 0.6), 0.02, 0.0, 0.05)
            surfaces.append(Surface(Plane(-y, -self.ceiling), tiles, x, z))
            for lamp in self.lamps:
                box = Box(lamp.position - vector(0, 0.01, 0), vector(1.2, 0.05, 0.3))
                level = vector(1, 1, 1) * np.float32(2 * lamp.power)
                surfaces.append(Surface(box, tx.plain(level, self.noise, 1.0, 0.0), x, z, glow=1.0))
        for box in self.furniture:
            if rng.random() < 0.5:
                wood = vector(0.1, 0.2, 0.36) * np.float32(rng.uniform(0.4, 1.5))
                texture = tx.tiled(wood, self.noise, (0.4, 0.4), 0.01, 0.0, 0.3)
            else:
                texture = tx.plain(tx.colour(rng, (0.05, 0.6), 0.3), self.noise, 0.1, 0.25)
            surfaces.append(Surface(box, texture, vector(0.8, 0, 0.6), y))
        return surfaces

    def _floor(self, rng: Rng) -> tx.Texture:
        noise = self.noise
        base = tx.colour(rng, (0.12, 0.5), 0.12)
        if self.outdoors:
            if rng.random() < 0.3:
                return tx.plain(vector(0.07, 0.22, 0.12), noise, 0.12, 0.9)
            if rng.random() < 0.5:
                return tx.plain(base * 0.7, noise, 0.05, 0.5)
            return tx.tiled(base, noise, (0.5, 0.5), 0.015, 0.5, 0.25)
        style = rng.integers(3)
        if style == 0:
            side = float(rng.uniform(0.3, 0.6))
            return tx.tiled(base, noise, (side, side), 0.008, 0.0, 0.2)
        if style == 1:
            wood = vector(0.08, 0.17, 0.3) * np.float32(rng.uniform(0.6, 1.5))
            return tx.tiled(wood, noise, (1.2, 0.14), 0.004, 0.37, 0.5)
        return tx.plain(base, noise, 0.03, 0.5)

    def _wall(self, rng: Rng, length: float) -> tx.Texture:
        """A wall with doors, windows and posters along its `length` in metres."""
        noise = self.noise
        base = tx.colour(rng, (0.35, 0.75), 0.05)
        if self.outdoors:
            brick = vector(0.12, 0.16, 0.34) * np.float32(rng.uniform(0.6, 1.4))
            wall = tx.tiled(brick, noise, (0.24, 0.08), 0.008, 0.5, 0.5)
            if rng.random() < 0.4:
                wall = tx.plain(base, noise, 0.15, 0.35)
        else:
            wall = tx.plain(base, noise, 0.08, 0.12)
            wall = tx.with_skirting(wall, tx.colour(rng, (0.1, 0.8), 0.05))
        dark = tx.colour(rng, (0.05, 0.2), 0.2)
        for place in np.arange(rng.uniform(0.6, 2.0), length, rng.uniform(2.0, 3.6)).tolist():
            choice = rng.random()
            if choice < 0.35:
                wood = tx.colour(rng, (0.1, 0.5), 0.25)
                wall = tx.with_panel(wall, place, -0.05, (0.95, 2.1), wood, dark, 0, noise)
            elif choice < 0.65:
                level = 0.15 if self.outdoors else rng.uniform(0.5, 1.2)
                sky = vector(0.75, 0.7, 0.62) * np.float32(level)
                wall = tx.with_panel(wall, place, 0.95, (1.4, 1.3), sky, base * 0.8, 2, noise)
            elif choice < 0.85:
                paint = tx.colour(rng, (0.1, 0.6), 0.6)
                wall = tx.with_panel(wall, place, 1.2, (0.7, 0.9), paint, dark, 0, noise)
        return wall
