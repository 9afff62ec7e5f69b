"""A pinhole camera and the intersections of its rays with simple solids.

Metres; y is up, the floor is y = 0. Every `hit` takes origins and directions, float32 [..., 3],
which broadcast, and returns the distance along each ray, infinite where it misses, with the outward
normal of the surface.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
NEAREST = np.float32(1e-3)
"""Hits nearer than this, in metres, are the surface that the ray starts on."""


def vector(*values: float) -> Array:
    return np.array(values, np.float32)


def dot(a: Array, b: Array) -> Array:
    """Dot products along the last axis; numpy's own sum over three numbers is slow."""
    return np.asarray(a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2])


@dataclass(frozen=True)
class Ball:
    """A ball around a solid: which rays may hit it is quicker to say than where they do."""

    centre: Array
    radius: float

    def may_meet(self, end: Array, towards: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Whether rays that end at one point may meet the ball; those that do are among them.

        Args:
            end: float32 [3].
            towards: float64 [..., 3], the directions of the rays, of length 1: the sun is so far
                that float32 would not tell the two sides of a leg.

        Returns:
            bool [...].
        """
        axis = end.astype(np.float64) - self.centre
        # A little more than the ball, because the rays are rounded.
        tangent = float(axis @ axis) - (1.01 * self.radius + 1e-3) ** 2
        if tangent <= 0:  # the rays end in it
            return np.ones(towards.shape[:-1], bool)
        return np.asarray(towards @ axis >= np.sqrt(tangent))


@dataclass(frozen=True)
class PinholeCamera:
    """A pinhole camera.

    Attributes:
        position: float32 [3], metres.
        pitch: Radians downwards.
        yaw: Radians to the right.
        field_of_view: Vertical, radians.
    """

    position: Array
    pitch: float
    yaw: float
    field_of_view: float

    @property
    def axes(self) -> Array:
        """Rows: right, up and forward, float32 [3, 3]."""
        sp, cp, sy, cy = np.sin(self.pitch), np.cos(self.pitch), np.sin(self.yaw), np.cos(self.yaw)
        return np.array([[cy, 0, -sy], [sp * sy, cp, sp * cy], [cp * sy, -sp, cp * cy]], np.float32)

    def rays(self, height: int, width: int) -> Array:
        """Return directions through the pixel centres, float32 [H, W, 3].

        Each has depth 1 along the optical axis, so the distance along a ray is the depth.
        """
        half = np.tan(self.field_of_view / 2)
        y = ((np.arange(height, dtype=np.float32) + 0.5) / height * 2 - 1) * -half
        x = ((np.arange(width, dtype=np.float32) + 0.5) / width * 2 - 1) * half * width / height
        right, up, forward = self.axes
        return np.asarray(forward + x[None, :, None] * right + y[:, None, None] * up, np.float32)

    def project(self, points: Array, height: int, width: int) -> Array:
        """Return pixels (x, y), float32 [N, 2], of points [N, 3]; those behind the camera fall far
        outside."""
        local = (points - self.position) @ self.axes.T
        depth = np.maximum(local[:, 2], 1e-2)
        half = np.tan(self.field_of_view / 2)
        x = (local[:, 0] / depth / half * height / width + 1) / 2 * width
        y = (1 - local[:, 1] / depth / half) / 2 * height
        return np.stack([x, y], axis=1).astype(np.float32)

    def window(
        self, points: Array, size: tuple[int, int], margin: int
    ) -> tuple[slice, slice] | None:
        """Return the rows and columns of an image that hold the points.

        Args:
            points: float32 [N, 3].
            size: (height, width) of the image.
            margin: Pixels added on each side.

        Returns:
            Two slices, or None where no point is in the image.
        """
        height, width = size
        pixels = self.project(points, height, width)
        x0, y0 = np.floor(pixels.min(0)).astype(int) - margin
        x1, y1 = np.ceil(pixels.max(0)).astype(int) + margin
        x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
        return (slice(y0, y1), slice(x0, x1)) if x0 < x1 and y0 < y1 else None


@dataclass(frozen=True)
class Plane:
    """All points p with normal . p = offset, visible from the side of the normal."""

    normal: Array
    offset: float

    def hit(self, origin: Array, direction: Array) -> tuple[Array, Array]:
        facing = direction @ self.normal
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = (self.offset - origin @ self.normal) / facing
        distance = np.where((facing < 0) & (distance > NEAREST), distance, np.float32(np.inf))
        return distance.astype(np.float32), np.broadcast_to(self.normal, direction.shape)


@dataclass(frozen=True)
class Box:
    """A box on `base`, the centre of its lowest face, turned about the vertical by `turn`."""

    base: Array
    size: Array
    turn: float = 0.0

    def corners(self) -> Array:
        signs = np.array([[x, y, z] for x in (-1, 1) for y in (0, 2) for z in (-1, 1)], np.float32)
        return np.asarray(signs * self.size / 2 @ self._axes + self.base, np.float32)

    @property
    def ball(self) -> Ball:
        centre = self.base + vector(0, float(self.size[1]) / 2, 0)
        return Ball(centre, float(np.linalg.norm(self.size)) / 2)

    @property
    def _axes(self) -> Array:
        s, c = np.sin(self.turn), np.cos(self.turn)
        return np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]], np.float32)

    def local(self, points: Array) -> Array:
        """Return points in the box's own axes, relative to the centre of its lowest face."""
        return np.asarray((points - self.base) @ self._axes.T, np.float32)

    def hit(self, origin: Array, direction: Array) -> tuple[Array, Array]:
        start = self.local(origin)
        along = direction @ self._axes.T
        along = np.where(np.abs(along) < 1e-7, np.float32(1e-7), along)
        low = vector(-self.size[0] / 2, 0, -self.size[2] / 2)
        high = vector(self.size[0] / 2, self.size[1], self.size[2] / 2)
        a, b = (low - start) / along, (high - start) / along
        near, far = np.minimum(a, b), np.maximum(a, b)
        enter, leave = near.max(-1), far.min(-1)
        meets = (enter < leave) & (enter > NEAREST)
        side = near.argmax(-1)
        normals = -np.sign(np.take_along_axis(along, side[..., None], -1)) * self._axes[side]
        return (
            np.where(meets, enter, np.float32(np.inf)).astype(np.float32),
            normals.astype(np.float32),
        )


@dataclass(frozen=True)
class Ellipsoid:
    """All points p with |to_unit (p - centre)| = 1; to_unit is float32 [3, 3]."""

    centre: Array
    to_unit: Array

    @property
    def ball(self) -> Ball:
        return Ball(self.centre, 1 / float(np.linalg.norm(self.to_unit, axis=1).min()))

    def hit(self, origin: Array, direction: Array) -> tuple[Array, Array]:
        o = np.asarray((origin - self.centre) @ self.to_unit.T, np.float32)
        d = np.asarray(direction @ self.to_unit.T, np.float32)
        a, b, c = dot(d, d), dot(o, d), dot(o, o) - 1
        inside = b * b - a * c
        distance = (-b - np.sqrt(np.maximum(inside, 0))) / a
        meets = (inside > 0) & (distance > NEAREST)
        distance = np.where(meets, distance, np.float32(np.inf))
        point = o + np.where(meets, distance, 0)[..., None] * d
        normal = np.asarray(point @ self.to_unit, np.float32)
        length = np.sqrt(np.maximum(dot(normal, normal), np.float32(1e-18)))[..., None]
        return distance.astype(np.float32), (normal / length).astype(np.float32)


def limb(start: Array, end: Array, radius: float, depth: float | None = None) -> Ellipsoid:
    """Return an ellipsoid from `start` to `end`; `depth` is its radius front to back."""
    axis = end - start
    length = float(np.linalg.norm(axis))
    axis = axis / length
    # Neighbouring limbs overlap, so that a body has no gaps at its joints.
    length += 0.9 * radius
    other = vector(0, 0, 1) if abs(axis[2]) < 0.9 else vector(1, 0, 0)
    side = np.cross(other, axis)
    side = side / np.linalg.norm(side)
    front = np.cross(axis, side)
    scale = vector(1 / radius, 2 / length, 1 / (depth or radius))
    to_unit = np.stack([side, axis, front]) * scale[:, None]
    return Ellipsoid(np.asarray((start + end) / 2, np.float32), to_unit.astype(np.float32))
