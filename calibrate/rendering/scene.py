"""Rooms, corridors and yards under a fixed camera, and what moves in them.

Everything is cast at twice the asked size and averaged: colour is linear light until then.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from edge.calibrate.rendering import textures as tx
from edge.calibrate.rendering.bodies import (
    Crate,
    Look,
    Part,
    crate,
    look,
    outline,
    person,
    standing,
)
from edge.calibrate.rendering.rays import Array, Box, PinholeCamera, Plane, dot, vector
from edge.samples.sample import BACKGROUND, FOREGROUND, Image

KINDS = ("room", "corridor", "yard")
FAR = np.float32(60)
"""Metres to the sky."""


@dataclass(frozen=True)
class Surface:
    """A solid of the empty scene; `across` and `up` are the directions of its texture."""

    solid: Plane | Box
    texture: tx.Texture
    across: Array
    up: Array
    glow: float = 0.0


@dataclass(frozen=True)
class Actor:
    """Someone or something that comes and goes.

    path: two points on the floor, [2, 3]; from, until: seconds of every `period` in which it is
    there.
    """

    body: Look | Crate
    path: Array
    speed: float
    start: float
    stay: float
    period: float

    def parts(self, t: float) -> list[Part] | None:
        """Its solids at time t, or None while it is away."""
        since = (t - self.start) % self.period
        if since > self.stay:
            return None
        if isinstance(self.body, Crate):
            return standing(self.body, self.path[0])
        way = self.path[1] - self.path[0]
        length = float(np.linalg.norm(way))
        gone = since * self.speed / length
        # There and back again.
        share = 1 - abs((gone % 2) - 1)
        ahead = way if gone % 2 < 1 else -way
        heading = float(np.arctan2(-ahead[0], ahead[2]))
        place = np.asarray(self.path[0] + share * way, np.float32)
        return person(self.body, place, heading, since * self.speed / 0.75 * np.pi)


@dataclass(frozen=True)
class RenderedFrame:
    """A clean picture uint8 [H, W, 3] BGR, its mask uint8 [H, W], inverse depth float32 [H, W] in
    1 / metres."""

    picture: Image
    mask: npt.NDArray[np.uint8]
    inverse_depth: Array


@dataclass(frozen=True)
class _Cast:
    """What the camera sees of the empty scene, at twice the size.

    colour: float32 [H, W, 3], all light together; lit: the part of it that comes from each lamp.
    """

    rays: Array
    depth: Array
    points: Array
    colour: Array
    lit: list[Array]


class RenderedScene:
    """One scene of a kind, with its camera. The same seed and size give the same scene."""

    def __init__(self, kind: str, seed: int, size: tuple[int, int]) -> None:
        if kind not in KINDS:
            raise ValueError(f"unknown kind of scene {kind!r}; known: {', '.join(KINDS)}")
        self.kind, self.size = kind, size
        rng = np.random.default_rng([KINDS.index(kind), seed])
        self._noise = tx.Noise(rng)
        self._fine = (2 * size[0], 2 * size[1])
        outdoors = kind == "yard"
        if kind == "room":
            self._bounds = (-rng.uniform(1.5, 4), rng.uniform(1.5, 4), rng.uniform(6, 10))
        elif kind == "corridor":
            self._bounds = (-rng.uniform(0.9, 1.4), rng.uniform(0.9, 1.6), rng.uniform(12, 24))
        else:
            self._bounds = (-rng.uniform(5, 9), rng.uniform(5, 9), rng.uniform(12, 22))
        self._ceiling = 40.0 if outdoors else float(rng.uniform(2.7, 3.4))
        height = rng.uniform(3, 5) if outdoors else rng.uniform(2.2, self._ceiling - 0.25)
        side = rng.uniform(-0.6, 0.6) * min(-self._bounds[0], self._bounds[1])
        aim = rng.uniform(0.35, 0.55) * self._bounds[2]
        self.camera = PinholeCamera(
            vector(side, height, 0.15),
            pitch=float(np.arctan2(height - 0.8, aim)),
            yaw=float(np.arctan2(-side, aim) + rng.uniform(-0.12, 0.12)),
            field_of_view=float(np.radians(rng.uniform(42, 66))),
        )
        self._lamps = self._place_lamps(rng, outdoors)
        self._ambient = float(rng.uniform(0.22, 0.4)) * (1.3 if outdoors else 1.0)
        self._furniture = self._place_furniture(rng)
        self._surfaces = self._dress(rng, outdoors)
        self._actors = self._cast_actors(rng)

    # ------------------------------------------------------------------ the empty scene

    def _place_lamps(self, rng: np.random.Generator, outdoors: bool) -> list[tuple[Array, float]]:
        """(position, power): ceiling lamps, or one sun that is far away."""
        left, right, end = self._bounds
        if outdoors:
            sun = vector(rng.uniform(-1, 1) * 300, rng.uniform(250, 400), rng.uniform(-250, 100))
            return [(sun, float(rng.uniform(0.5, 0.9)))]
        count = 2 if self.kind == "room" else 3
        return [
            (
                vector(rng.uniform(0.6 * left, 0.6 * right), self._ceiling - 0.05, z),
                float(rng.uniform(0.55, 1.0)),
            )
            for z in np.linspace(0.15, 0.85, count) * end
        ]

    def _spot(self, rng: np.random.Generator, margin: float) -> Array:
        """A point on the floor that the camera sees well."""
        left, right, end = self._bounds
        for _ in range(60):
            z = float(np.exp(rng.uniform(np.log(1.8), np.log(0.92 * end))))
            point = vector(rng.uniform(left + margin, right - margin), 0, z)
            x, y = self.camera.project(point[None], *self.size)[0]
            if 0.06 * self.size[1] < x < 0.94 * self.size[1] and y < 1.08 * self.size[0]:
                return point
        return vector((left + right) / 2, 0, 0.5 * end)

    def _place_furniture(self, rng: np.random.Generator) -> list[Box]:
        left, right, end = self._bounds
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
            spot = self._spot(rng, 0.8)
            boxes.append(Box(spot, vector(thick, min(self._ceiling, 6.0), thick)))
        return boxes

    def _floor(self, rng: np.random.Generator, outdoors: bool) -> tx.Texture:
        noise = self._noise
        base = tx.colour(rng, (0.12, 0.5), 0.12)
        if outdoors:
            if rng.random() < 0.3:
                return tx.plain(vector(0.07, 0.22, 0.12), noise, 0.12, 0.9)
            if rng.random() < 0.5:
                return tx.plain(base * 0.7, noise, 0.05, 0.5)
            return tx.laid(base, noise, (0.5, 0.5), 0.015, 0.5, 0.25)
        style = rng.integers(3)
        if style == 0:
            side = float(rng.uniform(0.3, 0.6))
            return tx.laid(base, noise, (side, side), 0.008, 0.0, 0.2)
        if style == 1:
            wood = vector(0.08, 0.17, 0.3) * np.float32(rng.uniform(0.6, 1.5))
            return tx.laid(wood, noise, (1.2, 0.14), 0.004, 0.37, 0.5)
        return tx.plain(base, noise, 0.03, 0.5)

    def _wall(self, rng: np.random.Generator, outdoors: bool, length: float) -> tx.Texture:
        noise = self._noise
        base = tx.colour(rng, (0.35, 0.75), 0.05)
        if outdoors:
            brick = vector(0.12, 0.16, 0.34) * np.float32(rng.uniform(0.6, 1.4))
            wall = tx.laid(brick, noise, (0.24, 0.08), 0.008, 0.5, 0.5)
            if rng.random() < 0.4:
                wall = tx.plain(base, noise, 0.15, 0.35)
        else:
            wall = tx.plain(base, noise, 0.08, 0.12)
            wall = tx.skirted(wall, tx.colour(rng, (0.1, 0.8), 0.05))
        dark = tx.colour(rng, (0.05, 0.2), 0.2)
        for place in np.arange(rng.uniform(0.6, 2.0), length, rng.uniform(2.0, 3.6)).tolist():
            kind = rng.random()
            if kind < 0.35:
                wood = tx.colour(rng, (0.1, 0.5), 0.25)
                wall = tx.with_panel(wall, place, -0.05, (0.95, 2.1), wood, dark, 0, noise)
            elif kind < 0.65:
                sky = vector(0.75, 0.7, 0.62) * np.float32(
                    0.15 if outdoors else rng.uniform(0.5, 1.2)
                )
                wall = tx.with_panel(wall, place, 0.95, (1.4, 1.3), sky, base * 0.8, 2, noise)
            elif kind < 0.85:
                paint = tx.colour(rng, (0.1, 0.6), 0.6)
                wall = tx.with_panel(wall, place, 1.2, (0.7, 0.9), paint, dark, 0, noise)
        return wall

    def _dress(self, rng: np.random.Generator, outdoors: bool) -> list[Surface]:
        left, right, end = self._bounds
        x, y, z = vector(1, 0, 0), vector(0, 1, 0), vector(0, 0, 1)
        surfaces = [
            Surface(Plane(y, 0.0), self._floor(rng, outdoors), x, z),
            Surface(Plane(-z, -end), self._wall(rng, outdoors, right - left), x, y),
            Surface(Plane(x, left), self._wall(rng, outdoors, end), z, y),
            Surface(Plane(-x, -right), self._wall(rng, outdoors, end), z, y),
        ]
        if not outdoors:
            tiles = tx.laid(vector(0.7, 0.72, 0.72), self._noise, (0.6, 0.6), 0.02, 0.0, 0.05)
            surfaces.append(Surface(Plane(-y, -self._ceiling), tiles, x, z))
            for position, power in self._lamps:
                lamp = Box(position - vector(0, 0.01, 0), vector(1.2, 0.05, 0.3))
                bright = tx.plain(vector(1, 1, 1) * np.float32(2 * power), self._noise, 1.0, 0.0)
                surfaces.append(Surface(lamp, bright, x, z, glow=1.0))
        for box in self._furniture:
            if rng.random() < 0.5:
                wood = vector(0.1, 0.2, 0.36) * np.float32(rng.uniform(0.4, 1.5))
                texture = tx.laid(wood, self._noise, (0.4, 0.4), 0.01, 0.0, 0.3)
            else:
                texture = tx.plain(tx.colour(rng, (0.05, 0.6), 0.3), self._noise, 0.1, 0.25)
            surfaces.append(Surface(box, texture, vector(0.8, 0, 0.6), y))
        return surfaces

    @cached_property
    def _seen(self) -> _Cast:
        rays = self.camera.rays(*self._fine)
        origin = self.camera.position
        depth = np.full(rays.shape[:2], FAR, np.float32)
        normal = np.zeros_like(rays)
        owner = np.full(rays.shape[:2], -1, np.int16)
        for index, surface in enumerate(self._surfaces):
            window: tuple[slice, slice] | None = (slice(None), slice(None))
            if isinstance(surface.solid, Box):
                window = self._window(surface.solid.corners(), 1)
            if window is None:
                continue
            distance, facing = surface.solid.hit(origin, rays[window])
            if isinstance(surface.solid, Plane) and index in (2, 3) and self.kind == "yard":
                # Walls of a yard end above, and the sky begins.
                tall = origin[1] + distance * rays[..., 1] < 3.2
                distance = np.where(tall, distance, np.float32(np.inf))
            nearer = distance < depth[window]
            depth[window][nearer], owner[window][nearer] = distance[nearer], index
            normal[window][nearer] = facing[nearer]
        points = np.asarray(origin + depth[..., None] * rays, np.float32)
        sky = np.linspace(1.0, 0.55, rays.shape[0], dtype=np.float32)[:, None, None]
        albedo = np.broadcast_to(sky * vector(0.9, 0.72, 0.6), rays.shape).copy()
        glow = (owner < 0).astype(np.float32)
        for index, surface in enumerate(self._surfaces):
            mine = owner == index
            if not mine.any():
                continue
            spot = points[mine]
            u, v = spot @ surface.across, spot @ surface.up
            if isinstance(surface.solid, Box):
                # The top of a box is seen along other directions than its sides.
                v = v + spot[:, 2] * np.abs(normal[mine][:, 1])
            albedo[mine] = surface.texture(u, v)
            glow[mine] = surface.glow
        shade = self._occlusion(points, normal)
        ambient = albedo * (glow + (1 - glow) * self._ambient * shade)[..., None]
        lit = []
        for lamp in self._lamps:
            share = self._light(points, normal, lamp) * (1 - glow)
            furniture = [Part(box, vector(0, 0, 0)) for box in self._furniture]
            dark = self._shadow(points, lamp[0], furniture, 2.0)
            lit.append(albedo * (share * (1 - dark))[..., None])
        clean = ambient + np.sum(lit, axis=0)
        return _Cast(rays, depth, points, clean.astype(np.float32), lit)

    def _light(self, points: Array, normal: Array, lamp: tuple[Array, float]) -> Array:
        towards = lamp[0] - points
        distance = np.sqrt(dot(towards, towards))
        facing = np.maximum(dot(towards, normal) / distance, 0)
        fall = 1.0 if self.kind == "yard" else 3.2 / (1 + (distance / 1.6) ** 2)
        return np.asarray(lamp[1] * facing * fall, np.float32)

    def _occlusion(self, points: Array, normal: Array) -> Array:
        """Less light near corners and under furniture, 0..1."""
        left, right, end = self._bounds
        near = np.minimum(
            np.minimum(points[..., 0] - left, right - points[..., 0]), end - points[..., 2]
        )
        level = np.abs(normal[..., 1]) > 0.5
        edge = np.where(level, near, points[..., 1])
        shade = 1 - np.float32(0.4) * np.exp(-np.maximum(edge, 0) / np.float32(0.35))
        for box in self._furniture:
            around = Box(box.base, box.size + vector(1, 0, 1), box.turn)
            window = self._window(around.corners(), 0)
            if window is None:
                continue
            local = np.abs(box.local(points[window]))
            gap = np.maximum(local - vector(float(box.size[0]) / 2, 9, float(box.size[2]) / 2), 0)
            close = np.exp(-np.hypot(gap[..., 0], gap[..., 2]) / np.float32(0.15))
            low = points[window][..., 1] < 0.02
            shade[window] *= np.where(low, 1 - np.float32(0.45) * close, np.float32(1))
        return np.asarray(shade, np.float32)

    @staticmethod
    def _shadow(points: Array, lamp: Array, parts: list[Part], softness: float) -> Array:
        """How much of a lamp's light the parts keep off the points [H, W, 3], 0..1.

        softness: width of the shadow's edge in pixels. Because of it every other point is enough.
        """
        coarse = points[::2, ::2]
        towards = lamp - coarse
        dark = np.zeros(coarse.shape[:-1], np.float32)
        for part in parts:
            distance, _ = part.solid.hit(coarse, towards)
            dark[distance < 0.999] = 1
        soft = cv2.GaussianBlur(dark, (0, 0), softness / 2)
        wide = cv2.resize(soft, points.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        return np.asarray(wide, np.float32)

    # ------------------------------------------------------------------ what is new in it

    def _free_path(self, rng: np.random.Generator) -> Array:
        """Two points on the floor with no furniture between them, [2, 3]."""
        path = np.stack([vector(0, 0, 0.4 * self._bounds[2]), vector(0, 0, 0.7 * self._bounds[2])])
        for _ in range(40):
            path = np.stack([self._spot(rng, 0.45), self._spot(rng, 0.45)])
            way = path[0] + np.linspace(0, 1, 24, dtype=np.float32)[:, None] * (path[1] - path[0])
            room = vector(0.35, 0, 0.35)
            clear = all(
                (np.abs(box.local(way))[:, ::2] > (box.size / 2 + room)[::2]).any(axis=1).all()
                for box in self._furniture
            )
            if clear and np.linalg.norm(path[1] - path[0]) > 0.6:
                break
        return path.astype(np.float32)

    def _cast_actors(self, rng: np.random.Generator) -> list[Actor]:
        actors = []
        count = int(rng.integers(2, 5))
        for index in range(count):
            body: Look | Crate = look(rng) if index == 0 or rng.random() < 0.75 else crate(rng)
            path = self._free_path(rng)
            period = float(rng.uniform(14, 24))
            actors.append(
                Actor(
                    body,
                    path.astype(np.float32),
                    float(rng.uniform(0.8, 1.5)),
                    float(rng.uniform(0, period)),
                    float(rng.uniform(0.35, 0.75)) * period,
                    period,
                )
            )
        return actors

    def background(self) -> RenderedFrame:
        """The empty scene."""
        cast = self._seen
        picture = self._developed(cast.colour)
        mask = np.full(self.size, BACKGROUND, np.uint8)
        return RenderedFrame(picture, mask, self._halved(np.reciprocal(cast.depth)))

    def frame(self, t: float, camouflage: bool = False, empty: bool = False) -> RenderedFrame:
        """The scene at t seconds, with those who are there then.

        camouflage: they wear the colour of what is behind them. empty: nobody is there.
        """
        cast = self._seen
        colour, depth = cast.colour.copy(), cast.depth.copy()
        new = np.zeros(depth.shape, np.float32)
        present = [] if empty else [p for actor in self._actors if (p := actor.parts(t))]
        for parts in present:
            self._darken(colour, parts)
        for parts in present:
            self._draw(colour, depth, new, parts, camouflage)
        picture = self._developed(colour)
        share = self._halved(new)
        mask = np.where(share >= 0.5, FOREGROUND, BACKGROUND).astype(np.uint8)
        # The depth of a mixed pixel is that of what its mask says it is.
        ours = self._halved(new / depth) / np.maximum(share, 1e-6)
        theirs = self._halved((1 - new) / cast.depth) / np.maximum(1 - share, 1e-6)
        return RenderedFrame(
            picture, mask, np.where(mask == FOREGROUND, ours, theirs).astype(np.float32)
        )

    def _window(self, points: Array, margin: int) -> tuple[slice, slice] | None:
        """The part of the fine picture that holds the points."""
        height, width = self._fine
        pixels = self.camera.project(points, height, width)
        x0, y0 = np.floor(pixels.min(0)).astype(int) - margin
        x1, y1 = np.ceil(pixels.max(0)).astype(int) + margin
        x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
        return (slice(y0, y1), slice(x0, x1)) if x0 < x1 and y0 < y1 else None

    def _darken(self, colour: Array, parts: list[Part]) -> None:
        """Take away each lamp's light where the parts keep it off, and a little at their feet."""
        body = outline(parts)
        reach = body[:, 1].max()
        foot = body[body[:, 1] < 0.3].mean(0)
        for index, (lamp, _) in enumerate(self._lamps):
            # Where the rays through the body's outline meet the floor; not endlessly far away.
            drop = np.clip(body[:, 1:2] / np.maximum(lamp[1] - body[:, 1:2], 0.3), 0, 2.5)
            away = (body - lamp) * drop
            length = np.maximum(np.linalg.norm(away[:, ::2], axis=1, keepdims=True), 1e-3)
            away *= np.minimum(1, 3 * reach / length)
            window = self._window(np.concatenate([body, body + away]).astype(np.float32), 6)
            if window is None:
                continue
            softness = 1.2 if self.kind == "yard" else 2.5
            dark = self._shadow(self._seen.points[window], lamp, parts, softness)
            colour[window] -= self._seen.lit[index][window] * dark[..., None]
        window = self._window(foot + vector(0.5, 0, 0.5) * np.array([[-1], [1]], np.float32), 30)
        if window is not None:
            away = self._seen.points[window] - foot
            gap = np.hypot(away[..., 0], away[..., 2])
            low = self._seen.points[window][..., 1] < 0.05
            colour[window] *= np.where(low, 1 - 0.35 * np.exp(-((gap / 0.22) ** 2)), 1)[..., None]

    def _draw(
        self, colour: Array, depth: Array, new: Array, parts: list[Part], camouflage: bool
    ) -> None:
        window = self._window(outline(parts), 2)
        if window is None:
            return
        rays, origin = self._seen.rays[window], self.camera.position
        behind = np.median(colour[window].reshape(-1, 3), axis=0)
        nearest = depth[window].copy()
        for part in parts:
            distance, normal = part.solid.hit(origin, rays)
            seen = distance < nearest
            if not seen.any():
                continue
            nearest[seen] = distance[seen]
            points = (origin + distance[seen][:, None] * rays[seen]).astype(np.float32)
            facing = normal[seen]
            paint = part.colour if not camouflage else 0.25 * part.colour + 0.75 * behind
            level = 1 + 0.18 * self._noise.rough(points[:, 0] + points[:, 2], points[:, 1], 0.12)
            if part.stripes:
                level *= np.where((points[:, 1] * part.stripes) % 1 < 0.5, 1.0, 0.55)
            light = self._ambient * (0.75 + 0.35 * facing[:, 1])
            for lamp in self._lamps:
                light = light + self._light(points, facing, lamp)
            colour[window][seen] = paint * (level * light)[:, None]
            new[window][seen] = 1
        depth[window] = nearest

    # ------------------------------------------------------------------ pixels

    def _halved(self, values: npt.NDArray[np.floating]) -> Array:
        height, width = self.size
        return np.asarray(
            cv2.resize(values.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA),
            np.float32,
        )

    def _developed(self, linear: Array) -> Image:
        """Linear light to 8 bit: a soft shoulder, then gamma 2.2."""
        exposed = self._halved(linear) * np.float32(1.15)
        toned = exposed * (1 + exposed / 4) / (1 + exposed)
        grey = np.clip(toned * 1.2, 0, 1) ** np.float32(1 / 2.2)
        return np.asarray(grey * 255 + 0.5, np.uint8)
