"""Rendered scenes by a script: who walks where, and what the light and the weather do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from edge.calibrate.rendering.objects import crate, person
from edge.calibrate.rendering.rays import vector
from edge.calibrate.rendering.scene import RenderedScene, Visit
from edge.calibrate.rendering.scene_object import Part, SceneObject
from edge.calibrate.rendering.sensor import noise
from edge.camera.source import SCHEMES, Decoded

SIZE = (240, 320)
FPS = 10.0
Change = Callable[[np.ndarray, float], np.ndarray]
"""What becomes of an image, uint8 [H, W, 3], at t seconds."""


@dataclass(frozen=True)
class Walk:
    """Somebody who is at places of the floor at times, and nowhere before and after.

    ways: (seconds, x, z) in metres.
    """

    ways: Sequence[tuple[float, float, float]]
    seed: int = 0

    @property
    def visit(self) -> Visit:
        begin, end = self.ways[0][0], self.ways[-1][0]
        return Visit(_Walker(self), np.zeros((2, 3), np.float32), 1.0, begin, end - begin, 1e6)


@dataclass(frozen=True)
class _Walker:
    walk: Walk

    def parts(self, since: float, path: np.ndarray, speed: float) -> list[Part]:
        times, xs, zs = (np.array(each, float) for each in zip(*self.walk.ways, strict=True))
        now = times[0] + since
        x, z = float(np.interp(now, times, xs)), float(np.interp(now, times, zs))
        leg = min(int(np.searchsorted(times, now, side="right")), len(times) - 1)
        dx, dz = xs[leg] - xs[leg - 1], zs[leg] - zs[leg - 1]
        heading = float(np.arctan2(-dx, dz)) if dx or dz else 0.0
        along = np.concatenate([[0], np.hypot(np.diff(xs), np.diff(zs)).cumsum()])
        phase = float(np.interp(now, times, along)) / person.STEP * np.pi
        if not (dx or dz):  # whoever stands shifts their weight
            phase += 0.25 * np.sin(1.7 * now)
        return person._limbs(self._person, np.float32([x, 0, z]), heading, phase)

    @property
    def _person(self) -> person.Person:
        return person.draw(np.random.default_rng(self.walk.seed))


@dataclass(frozen=True)
class Box:
    """A crate that stands somewhere from one time to another."""

    x: float
    z: float
    begin: float
    end: float
    colour: tuple[float, float, float] = (0.05, 0.08, 0.5)

    @property
    def visit(self) -> Visit:
        box: SceneObject = crate.Crate(
            vector(0.6, 0.6, 0.5), vector(*self.colour), 0.4, vector(0.1, 0.1, 0.1)
        )
        path = np.float32([[self.x, 0, self.z]] * 2)
        return Visit(box, path, 1.0, self.begin, self.end - self.begin, 1e6)


@dataclass(frozen=True)
class Scene:
    """A yard for some seconds.

    Attributes:
        seconds: how long.
        actors: what comes and goes.
        change: of every image, and of the background at 0 seconds.
        before: what the background shows beside the yard.
        seed: of the yard.
    """

    seconds: float
    actors: Sequence[Walk | Box] = ()
    change: Change = lambda image, t: image
    before: Sequence[Box] = ()
    seed: int = 3

    def background(self) -> np.ndarray:
        """The empty yard, uint8 [H, W, 3] BGR."""
        image = _render(self.seed, [each.visit for each in self.before], 0.0)
        return self.change(noise(image, np.random.default_rng(1), 1.0), 0.0)

    def image(self, number: int) -> np.ndarray:
        """Frame of a number, with sensor noise."""
        t = number / FPS
        image = _render(self.seed, [each.visit for each in self.actors], t)
        return self.change(noise(image, np.random.default_rng([7, number]), 2.0), t)


@cache
def _yard(seed: int) -> RenderedScene:
    return RenderedScene("yard", seed, SIZE)


@cache
def _empty(seed: int) -> np.ndarray:
    return _yard(seed).background().image


def _render(seed: int, visits: list[Visit], t: float) -> np.ndarray:
    yard = _yard(seed)
    if not any(visit.parts(t) for visit in visits):
        return _empty(seed)
    yard._visits = visits
    return yard.frame(t).image


def floor(*places: tuple[float, float], seed: int = 3) -> tuple[tuple[float, float], ...]:
    """Points of the floor in metres, as points of a zone."""
    points = np.float32([(x, 0, z) for x, z in places])
    pixels = _yard(seed)._layout.camera.project(points, *SIZE)
    shares = np.clip(pixels / np.float32([SIZE[1], SIZE[0]]), 0, 1)
    return tuple((round(float(x), 4), round(float(y), 4)) for x, y in shares)


class SceneReader:
    """Reads a scene as a recording."""

    live, fps = False, FPS

    def __init__(self, scene: Scene) -> None:
        self._scene, self._number = scene, 0

    def read(self) -> Decoded | None:
        if self._number >= round(self._scene.seconds * FPS):
            return None
        self._number += 1
        return Decoded(self._scene.image(self._number - 1))

    def skip(self) -> bool:
        return self.read() is not None

    def close(self) -> None:
        pass


SCENES: dict[str, Scene] = {}
SCHEMES["scene"] = lambda url: SceneReader(SCENES[url.partition("://")[2]])


def shadow(image: np.ndarray, t: float) -> np.ndarray:
    """The soft shadow of somebody outside the image walks over the floor."""
    field = np.zeros(SIZE, np.float32)
    centre = (round(-120 + 50 * t), 170)
    cv2.ellipse(field, centre, (70, 16), 12, 0, 360, 1.0, -1)
    field = cv2.GaussianBlur(field, (0, 0), 4)
    return np.clip(image * (1 - 0.4 * field[..., None]), 0, 255).astype(np.uint8)


def light_switch(image: np.ndarray, t: float) -> np.ndarray:
    """The light becomes less from one frame to the next, and another colour; and back."""
    if not 3 <= t < 7:
        return image
    return np.clip(image * np.float32([0.75, 0.62, 0.5]), 0, 255).astype(np.uint8)


def rain(image: np.ndarray, t: float) -> np.ndarray:
    """Streaks, other ones in every frame; the background was made before."""
    if t == 0:
        return image
    rng = np.random.default_rng(round(1000 * t))
    drops = np.zeros(SIZE, np.float32)
    for x, y, length in zip(
        rng.integers(0, SIZE[1], 90), rng.integers(0, SIZE[0], 90), rng.integers(6, 18, 90),
        strict=True,
    ):  # fmt: skip
        end = (int(x) - int(length) // 4, int(y) + int(length))
        cv2.line(drops, (int(x), int(y)), end, 1.0, 1, cv2.LINE_AA)
    drops = cv2.GaussianBlur(drops, (0, 0), 0.6)[..., None]
    return np.clip(image * (1 - 0.5 * drops) + 215 * 0.5 * drops, 0, 255).astype(np.uint8)


@cache
def _leaves() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    shape = (150, 120)
    cloud = cv2.GaussianBlur(rng.random(shape).astype(np.float32), (0, 0), 2.0)
    cloud = (cloud - cloud.min()) / np.ptp(cloud)
    ys, xs = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    crown = ((xs - 60) / 55) ** 2 + ((ys - 65) / 62) ** 2 < 0.9 + 0.3 * cloud
    green = cloud[..., None] * np.float32([60, 150, 90]) + np.float32([15, 30, 20])
    return green, cv2.GaussianBlur(crown.astype(np.float32), (0, 0), 1.0)


def tree(image: np.ndarray, t: float) -> np.ndarray:
    """A crown at the left border sways by 3 pixels, its leaves flutter."""
    green, alpha = _leaves()
    sway = 3.0 * np.sin(1.9 * t) + 1.2 * np.sin(5.3 * t)
    matrix = np.float32([[1, 0.03 * np.sin(2.7 * t), sway], [0, 1, 0.8 * np.sin(3.1 * t)]])
    size = (alpha.shape[1], alpha.shape[0])
    moved = cv2.warpAffine(green, matrix, size)
    cover = cv2.warpAffine(alpha, matrix, size)[..., None]
    image = image.astype(np.float32)
    part = image[20 : 20 + size[1], : size[0] - 10]
    part[:] = part * (1 - cover[:, 10:]) + moved[:, 10:] * cover[:, 10:]
    return np.clip(image, 0, 255).astype(np.uint8)


def headlights(image: np.ndarray, t: float) -> np.ndarray:
    """A dark yard, over whose floor and walls the light of a car outside sweeps."""
    night = image.astype(np.float32) * np.float32([0.34, 0.3, 0.28])
    if t > 0:
        ys, xs = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)
        x = -80 + 60 * t
        beam = np.exp(-(((xs - x) / 60) ** 2) - ((ys - 110) / 55) ** 2)[..., None]
        night = night + image.astype(np.float32) * 0.55 * beam
    return np.clip(night, 0, 255).astype(np.uint8)


def cover(image: np.ndarray, t: float) -> np.ndarray:
    """Something lies over the lens from 2 to 7 seconds."""
    if not 2 <= t < 7:
        return image
    return np.clip(0.05 * cv2.GaussianBlur(image, (0, 0), 20) + 20, 0, 255).astype(np.uint8)


def defocus(image: np.ndarray, t: float) -> np.ndarray:
    """The lens is out of focus from 2 to 7 seconds."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 4.0)) if 2 <= t < 7 else image


def turn(image: np.ndarray, t: float) -> np.ndarray:
    """Somebody turns the camera after 2 seconds."""
    return np.roll(image, 40, axis=1) if t >= 2 else image
