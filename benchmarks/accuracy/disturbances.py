"""What a camera does to an image that has no foreground, one disturbance at a time.

A disturbance takes the background, the frame and a generator, uint8 [H, W, 3] BGR, and returns both
as the camera would have recorded them. A new one is one more entry.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.calibrate.rendering import sensor
from edge.calibrate.rendering.sensor import Rng
from edge.calibrate.rendering.shadow import darken, shadow_from_outside
from edge.image import translate
from edge.samples.sample import Image

ImagePair = tuple[Image, Image]
Apply = Callable[[Image, Image, Rng], ImagePair]
DISTURBANCES: dict[str, Disturbance] = {}
"""Every disturbance by name, in the order of the tables."""


@dataclass(frozen=True)
class Disturbance:
    """A disturbance. stabilized: it is also measured behind edge.Stabilizer."""

    name: str
    apply: Apply
    stabilized: bool = False

    @property
    def stabilized_name(self) -> str:
        """The name of what is measured behind edge.Stabilizer."""
        return f"{self.name}, stabilized"

    def rng(self, index: int) -> Rng:
        """The generator of the sample at `index`, of this disturbance alone."""
        return np.random.default_rng([index, zlib.crc32(self.name.encode())])


def disturbance(name: str, stabilized: bool = False) -> Callable[[Apply], Apply]:
    """Add a function to DISTURBANCES."""

    def add(apply: Apply) -> Apply:
        DISTURBANCES[name] = Disturbance(name, apply, stabilized)
        return apply

    return add


def _as_recorded(bg: Image, frame: Image, rng: Rng) -> ImagePair:
    return bg, frame


CLEAN = Disturbance("as recorded", _as_recorded)
LEVELS = np.arange(256, dtype=np.float64)


def _mapped(image: Image, values: npt.NDArray[np.float64]) -> Image:
    """values: [256] or [256, 3], a new grey level for each old one."""
    levels = np.clip(values, 0, 255).round().astype(np.uint8)
    return sensor.looked_up(image, np.broadcast_to(levels.reshape(256, -1), (256, 3)))


def _gain(factor: float) -> Apply:
    return lambda bg, frame, rng: (bg, _mapped(frame, LEVELS * factor))


def _gamma(exponent: float) -> Apply:
    return lambda bg, frame, rng: (bg, _mapped(frame, 255 * (LEVELS / 255) ** exponent))


disturbance("40 % darker")(_gain(0.6))
disturbance("20 % darker")(_gain(0.8))
disturbance("20 % brighter")(_gain(1.2))
disturbance("40 % brighter")(_gain(1.4))


@disturbance("white balance")
def white_balance(bg: Image, frame: Image, rng: Rng) -> ImagePair:
    """The camera took the light for warmer than before: blue up by 15 %, red down by 15 %."""
    return bg, _mapped(frame, LEVELS[:, None] * np.array([1.15, 1.0, 0.85]))


disturbance("gamma 0.7")(_gamma(0.7))
disturbance("gamma 1.4")(_gamma(1.4))


@disturbance("a shadow alone")
def shadow(bg: Image, frame: Image, rng: Rng) -> ImagePair:
    """A shadow of something outside the image, half as bright as its surroundings."""
    side = 256
    height, width = frame.shape[:2]
    field = cv2.resize(shadow_from_outside(side, rng), (width, height))
    scene = frame.astype(np.float32)
    darken(scene, np.asarray(field, np.float32), 0.5)
    return bg, scene.round().astype(np.uint8)


@disturbance("noise of 8 levels")
def noise(bg: Image, frame: Image, rng: Rng) -> ImagePair:
    """Sensor noise, as at night."""
    return bg, sensor.noise(frame, rng, 8.0)


@disturbance("JPEG quality 30")
def jpeg(bg: Image, frame: Image, rng: Rng) -> ImagePair:
    """Coarse compression."""
    return bg, sensor.jpeg(frame, 30)


@disturbance("background an hour old")
def old_background(bg: Image, frame: Image, rng: Rng) -> ImagePair:
    """The light changed since: 10 % darker, a little yellower, from another side."""
    older = _mapped(bg, LEVELS[:, None] * 0.9 * np.array([0.95, 1.0, 1.03]))
    return sensor.lit(older, sensor.local_light(rng, 0.12)), frame


@disturbance("offset of 2 pixels", stabilized=True)
def offset(bg: Image, frame: Image, rng: Rng) -> ImagePair:
    """The camera turned a little: 2 pixels of an image 224 wide, in a random direction."""
    angle, reach = rng.uniform(0, 2 * np.pi), 2 * frame.shape[1] / 224
    return translate(bg, reach * np.cos(angle), reach * np.sin(angle)), frame


def conditions() -> list[str]:
    """The names of everything that is measured, in the order of the tables."""
    return [
        name
        for d in DISTURBANCES.values()
        for name in (d.name, *([d.stabilized_name] if d.stabilized else []))
    ]
