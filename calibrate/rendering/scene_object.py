"""The interface of everything that can stand or walk in a rendered scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edge.calibrate.rendering.rays import Array, Box, Ellipsoid


@dataclass(frozen=True)
class Part:
    """One solid of an object.

    Attributes:
        solid: The shape and its place in the scene.
        colour: float32 [3], BGR in linear light, 0..1.
        stripes: Horizontal stripes per metre of height; 0 for none.
    """

    solid: Ellipsoid | Box
    colour: Array
    stripes: float = 0.0


class SceneObject(Protocol):
    """An object with a fixed appearance, drawn once per scene."""

    def parts(self, since: float, path: Array, speed: float) -> list[Part]:
        """Return the solids of the object.

        Args:
            since: Seconds since the object entered the scene.
            path: float32 [2, 3], two points on the floor in metres, free of furniture between.
            speed: Metres per second along the path; ignored by objects that stand still.
        """
        ...


@dataclass(frozen=True)
class ObjectKind:
    """A kind of object and how often it is drawn.

    Attributes:
        weight: Share of the objects of a scene, relative to the weights of the other kinds.
        draw: Draws one object of this kind from a random generator.
    """

    weight: float
    draw: Callable[[np.random.Generator], SceneObject]


def outline(parts: list[Part]) -> Array:
    """Return points [N, 3] around all parts; their projection bounds the object in the image."""
    corners: list[Array] = []
    for part in parts:
        if isinstance(part.solid, Box):
            corners.append(part.solid.corners())
        else:
            reach = 1 / np.linalg.norm(part.solid.to_unit, axis=1)
            directions = part.solid.to_unit / np.linalg.norm(
                part.solid.to_unit, axis=1, keepdims=True
            )
            extent = (directions * reach[:, None]) @ np.eye(3, dtype=np.float32)
            signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
            corners.append((part.solid.centre + signs @ extent).astype(np.float32))
    return np.concatenate(corners)
