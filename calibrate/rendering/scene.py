"""Rooms, corridors and yards seen by a fixed camera, with the objects that move in them.

Rays are cast at twice the requested size and averaged; colour is linear light until then.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from edge.calibrate.rendering.layout import KINDS, Layout
from edge.calibrate.rendering.objects import draw_object
from edge.calibrate.rendering.rays import Array, Box, vector
from edge.calibrate.rendering.scene_object import Part, SceneObject, outline
from edge.calibrate.rendering.shading import (
    cast_shadows,
    halve,
    lamp_light,
    occlusion,
    shadow,
    tone_map,
)
from edge.samples.sample import BACKGROUND, FOREGROUND, Image

__all__ = ["KINDS", "RenderedFrame", "RenderedScene"]

FAR = np.float32(60)
"""Metres to the sky."""


@dataclass(frozen=True)
class RenderedFrame:
    """A frame without sensor noise.

    Attributes:
        image: uint8 [H, W, 3] BGR.
        mask: uint8 [H, W], FOREGROUND or BACKGROUND.
        inverse_depth: float32 [H, W] in 1 / metres.
        share: float32 [H, W] in 0..1, how much of each pixel objects cover.
    """

    image: Image
    mask: npt.NDArray[np.uint8]
    inverse_depth: Array
    share: Array


@dataclass(frozen=True)
class Visit:
    """An object and when it is in the scene: `stay` seconds of every `period`, from `start` on."""

    visitor: SceneObject
    path: Array
    speed: float
    start: float
    stay: float
    period: float

    def parts(self, t: float) -> list[Part] | None:
        """Return the solids at t seconds, None while the object is away."""
        since = (t - self.start) % self.period
        return None if since > self.stay else self.visitor.parts(since, self.path, self.speed)


@dataclass(frozen=True)
class _EmptyCast:
    """The rays through the empty scene at twice the size; `colour` includes the light in `lit`."""

    rays: Array
    depth: Array
    points: Array
    colour: Array
    lit: list[Array]


class RenderedScene:
    """One scene of a kind with its camera. One kind, seed and size give one scene."""

    def __init__(self, kind: str, seed: int, size: tuple[int, int]) -> None:
        """Draw a scene.

        Args:
            kind: One of KINDS.
            seed: Any non-negative number.
            size: (height, width) of the frames.

        Raises:
            ValueError: The kind is unknown.
        """
        if kind not in KINDS:
            raise ValueError(f"unknown kind of scene {kind!r}; known: {', '.join(KINDS)}")
        self.kind, self.size = kind, size
        self._fine = (2 * size[0], 2 * size[1])
        rng = np.random.default_rng([KINDS.index(kind), seed])
        self._layout = Layout(kind, rng, size)
        self._visits = self._draw_visits(rng)

    def background(self) -> RenderedFrame:
        """Render the empty scene."""
        empty = self._empty
        mask = np.full(self.size, BACKGROUND, np.uint8)
        inverse_depth = halve(np.reciprocal(empty.depth), self.size)
        share = np.zeros(self.size, np.float32)
        return RenderedFrame(tone_map(empty.colour, self.size), mask, inverse_depth, share)

    def frame(self, t: float, camouflage: bool = False, empty: bool = False) -> RenderedFrame:
        """Render the scene with the objects that are in it at t seconds.

        Args:
            t: Seconds since the start of the scene.
            camouflage: Paint the objects mostly in the colour of the background behind them.
            empty: Leave all objects out.
        """
        cast = self._empty
        colour, depth = cast.colour.copy(), cast.depth.copy()
        foreground = np.zeros(depth.shape, np.float32)
        present = [] if empty else [p for visit in self._visits if (p := visit.parts(t))]
        for parts in present:
            cast_shadows(colour, self._layout, cast.points, cast.lit, parts)
        for parts in present:
            self._draw(colour, depth, foreground, parts, camouflage)
        image = tone_map(colour, self.size)
        share = halve(foreground, self.size)
        mask = np.where(share >= 0.5, FOREGROUND, BACKGROUND).astype(np.uint8)
        # A mixed pixel has the depth of the side that its mask names.
        near = halve(foreground / depth, self.size) / np.maximum(share, 1e-6)
        far = halve((1 - foreground) / cast.depth, self.size) / np.maximum(1 - share, 1e-6)
        inverse_depth = np.where(mask == FOREGROUND, near, far).astype(np.float32)
        return RenderedFrame(image, mask, inverse_depth, share)

    def _draw_visits(self, rng: np.random.Generator) -> list[Visit]:
        visits = []
        for index in range(int(rng.integers(2, 5))):
            visitor = draw_object(rng, first=index == 0)
            path = self._layout.free_path(rng)
            period = float(rng.uniform(14, 24))
            visits.append(
                Visit(
                    visitor,
                    path,
                    float(rng.uniform(0.8, 1.5)),
                    float(rng.uniform(0, period)),
                    float(rng.uniform(0.35, 0.75)) * period,
                    period,
                )
            )
        return visits

    @cached_property
    def _empty(self) -> _EmptyCast:
        """The empty scene, cast and lit once."""
        layout = self._layout
        rays = layout.camera.rays(*self._fine)
        depth, normal, owner = self._hit_surfaces(rays)
        points = np.asarray(layout.camera.position + depth[..., None] * rays, np.float32)
        albedo, glow = self._paint(points, normal, owner)
        shade = occlusion(layout, self._fine, points, normal)
        ambient = albedo * (glow + (1 - glow) * layout.ambient * shade)[..., None]
        furniture = [Part(box, vector(0, 0, 0)) for box in layout.furniture]
        lit = []
        for lamp in layout.lamps:
            share = lamp_light(layout, points, normal, lamp) * (1 - glow)
            dark = shadow(points, lamp, furniture, 2.0)
            lit.append(albedo * (share * (1 - dark))[..., None])
        colour = ambient + np.sum(lit, axis=0)
        return _EmptyCast(rays, depth, points, colour.astype(np.float32), lit)

    def _hit_surfaces(self, rays: Array) -> tuple[Array, Array, npt.NDArray[np.int16]]:
        """Depth, normal and index of the nearest surface of each ray; -1 is the sky."""
        origin = self._layout.camera.position
        depth = np.full(rays.shape[:2], FAR, np.float32)
        normal = np.zeros_like(rays)
        owner = np.full(rays.shape[:2], -1, np.int16)
        for index, surface in enumerate(self._layout.surfaces):
            window: tuple[slice, slice] | None = (slice(None), slice(None))
            if isinstance(surface.solid, Box):
                window = self._layout.camera.window(surface.solid.corners(), self._fine, 1)
            if window is None:
                continue
            distance, facing = surface.solid.hit(origin, rays[window])
            if surface.top is not None:
                below = origin[1] + distance * rays[window][..., 1] < surface.top
                distance = np.where(below, distance, np.float32(np.inf))
            nearer = distance < depth[window]
            depth[window][nearer], owner[window][nearer] = distance[nearer], index
            normal[window][nearer] = facing[nearer]
        return depth, normal, owner

    def _paint(
        self, points: Array, normal: Array, owner: npt.NDArray[np.int16]
    ) -> tuple[Array, Array]:
        """Albedo [H, W, 3] and emitted share [H, W] of each pixel."""
        sky = np.linspace(1.0, 0.55, points.shape[0], dtype=np.float32)[:, None, None]
        albedo = np.broadcast_to(sky * vector(0.9, 0.72, 0.6), points.shape).copy()
        glow = (owner < 0).astype(np.float32)
        for index, surface in enumerate(self._layout.surfaces):
            pixels = owner == index
            if not pixels.any():
                continue
            places = points[pixels]
            u, v = places @ surface.across, places @ surface.up
            if isinstance(surface.solid, Box):
                # The texture of a box's top runs along other directions than that of its sides.
                v = v + places[:, 2] * np.abs(normal[pixels][:, 1])
            albedo[pixels] = surface.texture(u, v)
            glow[pixels] = surface.glow
        return albedo, glow

    def _draw(
        self, colour: Array, depth: Array, foreground: Array, parts: list[Part], camouflage: bool
    ) -> None:
        """Draw an object over `colour`, `depth` and `foreground` in place."""
        layout = self._layout
        window = layout.camera.window(outline(parts), self._fine, 2)
        if window is None:
            return
        origin = layout.camera.position
        behind = np.median(colour[window].reshape(-1, 3), axis=0)
        for part in parts:
            window = layout.camera.window(outline([part]), self._fine, 2)
            if window is None:
                continue
            rays = self._empty.rays[window]
            distance, normal = part.solid.hit(origin, rays)
            visible = distance < depth[window]
            if not visible.any():
                continue
            depth[window][visible] = distance[visible]
            points = (origin + distance[visible][:, None] * rays[visible]).astype(np.float32)
            facing = normal[visible]
            paint = part.colour if not camouflage else 0.25 * part.colour + 0.75 * behind
            level = 1 + 0.18 * layout.noise.rough(points[:, 0] + points[:, 2], points[:, 1], 0.12)
            if part.stripes:
                level *= np.where((points[:, 1] * part.stripes) % 1 < 0.5, 1.0, 0.55)
            light = layout.ambient * (0.75 + 0.35 * facing[:, 1])
            for lamp in layout.lamps:
                light = light + lamp_light(layout, points, facing, lamp)
            colour[window][visible] = paint * (level * light)[:, None]
            foreground[window][visible] = 1
