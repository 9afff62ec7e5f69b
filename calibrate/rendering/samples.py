"""Rendered scenes as samples: no files needed, exact masks and depth."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from edge.calibrate.rendering import sensor
from edge.calibrate.rendering.life import Life, random_life, to_image
from edge.calibrate.rendering.scene import KINDS, RenderedFrame, RenderedScene
from edge.calibrate.rendering.sensor import Rng, Table
from edge.calibrate.rendering.shadow import Field
from edge.image import translate
from edge.samples.sample import Image, Sample
from edge.scene.spread import spread_of

VERSION = 3
"""Goes up with every change that changes a pixel: activation ranges depend on it."""

SECONDS = 0.9
"""Seconds between two frames of a scene."""
MOMENTS = 10
"""Recorded images of the empty scene that a spread is measured on."""


@dataclass(frozen=True)
class _Scene:
    """A scene and what is recorded of it once.

    Attributes:
        rendered: The scene.
        empty: uint8 [H, W, 3], without objects, as rendered.
        bg: The same, as recorded.
        nearest: The divisor of its inverse depth.
        life: What moves in it; None for nothing.
        spread: As of a Sample.
    """

    rendered: RenderedScene
    empty: Image
    bg: Image
    nearest: float
    life: Life | None
    spread: Image | None

    def image(self, frame: RenderedFrame, rng: Rng) -> Image:
        """A frame, whose background shows a random moment of the scene's life."""
        if self.life is None:
            return frame.image
        change = _moment(self.life, self.empty, rng) - self.empty.astype(np.float32)
        return to_image(frame.image + (1 - frame.share)[..., None] * change)


class Rendered:
    """Frames of rendered scenes; rooms, corridors and yards alternate.

    Sample i depends on (seed, size, i) alone. About one frame in twelve has no object in it, and in
    about one in seven the objects have the colour of the background behind them. Of four scenes,
    the first is still; two live (calibrate/rendering/life.py), which is background; the last is
    still, and its spread is unknown.
    """

    def __init__(
        self,
        count: int = 64,
        size: tuple[int, int] = (240, 320),
        seed: int = 0,
        frames_per_scene: int = 8,
    ) -> None:
        """Define the set; nothing is rendered before a sample is read.

        Args:
            count: Number of samples.
            size: (height, width).
            seed: Seed of all scenes.
            frames_per_scene: Consecutive samples that share a scene and its background.
        """
        self.name = "rendered"
        self.skipped: dict[str, str] = {}
        self._count, self._size, self._seed = count, size, seed
        self._per_scene = frames_per_scene
        self._scene = lru_cache(maxsize=3)(self._make_scene)

    def __len__(self) -> int:
        return self._count

    def sequence(self, index: int) -> str:
        """Return the name of the scene of a sample."""
        number = index // self._per_scene
        return f"{KINDS[number % len(KINDS)]}-{self._seed}-{number:03d}"

    def _make_scene(self, number: int) -> _Scene:
        kind = KINDS[number % len(KINDS)]
        scene = RenderedScene(kind, self._seed * 100_003 + number, self._size)
        rng = np.random.default_rng([VERSION, self._seed, number, 0])
        empty = scene.background()
        table = sensor.light_table(rng, gain=(0.85, 1.15), balance=0.03, gamma=0.1, offset=2)
        bg = _record(sensor.looked_up(empty.image, table), rng)
        life = random_life(max(self._size), rng) if number % 4 in (1, 2) else None
        spread = None if number % 4 == 3 else _spread(empty.image, bg, life, table, rng)
        nearest = float(np.percentile(empty.inverse_depth, 99.5)) * 1.25
        return _Scene(scene, empty.image, bg, nearest, life, spread)

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self._count:
            raise IndexError(f"sample {index} of {self._count}")
        number, position = divmod(index, self._per_scene)
        scene = self._scene(number)
        rng = np.random.default_rng([VERSION, self._seed, number, position + 1])
        empty, camouflage = rng.random() < 1 / 12, rng.random() < 1 / 7
        at = position * SECONDS + rng.uniform(0, 0.5)
        frame = scene.rendered.frame(at, camouflage, empty)
        image = scene.image(frame, rng)
        if rng.random() < 0.5:
            table = sensor.light_table(rng, gain=(0.8, 1.25), balance=0.04, gamma=0.1, offset=3)
            image = sensor.looked_up(image, table)
        return Sample(
            f"{self.sequence(index)}/{position}",
            scene.bg,
            _record(_shaken(image, rng), rng),
            frame.mask,
            np.clip(frame.inverse_depth / scene.nearest, 0, 1).astype(np.float32),
            depth_is_true=True,
            spread=scene.spread,
        )

    def fingerprint(self) -> str:
        """Return a hash of everything that the samples depend on."""
        text = f"rendered {VERSION} {self._count} {self._size} {self._seed} {self._per_scene}"
        return hashlib.sha256(text.encode()).hexdigest()


def _moment(life: Life, empty: Image, rng: Rng) -> Field:
    """The empty scene at a random moment, float32 [H, W, 3]; a life is of a square."""
    height, width = empty.shape[:2]
    side = max(height, width)
    square = cv2.copyMakeBorder(empty, 0, side - height, 0, side - width, cv2.BORDER_REFLECT)
    return life.moment(np.asarray(square, np.float32), rng)[:height, :width]


def _spread(empty: Image, bg: Image, life: Life | None, table: Table, rng: Rng) -> Image:
    """The spread of recorded moments of the empty scene, in the light of its background."""
    images = []
    for _ in range(MOMENTS):
        image = empty if life is None else to_image(_moment(life, empty, rng))
        images.append(_record(_shaken(sensor.looked_up(image, table), rng), rng))
    return spread_of(images, bg)


def _shaken(image: Image, rng: Rng) -> Image:
    return translate(image, *rng.uniform(-0.7, 0.7, 2)) if rng.random() < 0.4 else image


def _record(image: Image, rng: Rng) -> Image:
    """The image after lens blur, sensor noise and compression."""
    image = sensor.blur(image, rng.uniform(0.2, 0.7))
    image = sensor.noise(image, rng, rng.uniform(1, 4))
    quality = 40 if rng.random() < 0.1 else int(rng.integers(60, 96))
    return sensor.jpeg(image, quality)
