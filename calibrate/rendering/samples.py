"""Rendered scenes as samples: no files needed, exact masks and depth."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np

from edge.calibrate.rendering import sensor
from edge.calibrate.rendering.scene import KINDS, RenderedScene
from edge.calibrate.rendering.sensor import Rng
from edge.image import translate
from edge.samples.sample import Image, Sample

VERSION = 2
"""Goes up with every change that changes a pixel: activation ranges depend on it."""

SECONDS = 0.9
"""Seconds between two frames of a scene."""


class Rendered:
    """Frames of rendered scenes; rooms, corridors and yards alternate.

    Sample i depends on (seed, size, i) alone. About one frame in twelve has no object in it, and in
    about one in seven the objects have the colour of the background behind them.
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

    def _make_scene(self, number: int) -> tuple[RenderedScene, Image, float]:
        """The scene, its recorded background and the divisor of its inverse depth."""
        kind = KINDS[number % len(KINDS)]
        scene = RenderedScene(kind, self._seed * 100_003 + number, self._size)
        rng = np.random.default_rng([VERSION, self._seed, number, 0])
        empty = scene.background()
        table = sensor.light_table(rng, gain=(0.85, 1.15), balance=0.03, gamma=0.1, offset=2)
        bg = _record(sensor.looked_up(empty.image, table), rng)
        return scene, bg, float(np.percentile(empty.inverse_depth, 99.5)) * 1.25

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self._count:
            raise IndexError(f"sample {index} of {self._count}")
        number, position = divmod(index, self._per_scene)
        scene, bg, nearest = self._scene(number)
        rng = np.random.default_rng([VERSION, self._seed, number, position + 1])
        empty, camouflage = rng.random() < 1 / 12, rng.random() < 1 / 7
        frame = scene.frame(position * SECONDS + rng.uniform(0, 0.5), camouflage, empty)
        image = frame.image
        if rng.random() < 0.5:
            table = sensor.light_table(rng, gain=(0.8, 1.25), balance=0.04, gamma=0.1, offset=3)
            image = sensor.looked_up(image, table)
        image = translate(image, *rng.uniform(-0.7, 0.7, 2)) if rng.random() < 0.4 else image
        return Sample(
            f"{self.sequence(index)}/{position}",
            bg,
            _record(image, rng),
            frame.mask,
            np.clip(frame.inverse_depth / nearest, 0, 1).astype(np.float32),
            depth_is_true=True,
        )

    def fingerprint(self) -> str:
        """Return a hash of everything that the samples depend on."""
        text = f"rendered {VERSION} {self._count} {self._size} {self._seed} {self._per_scene}"
        return hashlib.sha256(text.encode()).hexdigest()


def _record(image: Image, rng: Rng) -> Image:
    """The image after lens blur, sensor noise and compression."""
    image = sensor.blur(image, rng.uniform(0.2, 0.7))
    image = sensor.noise(image, rng, rng.uniform(1, 4))
    quality = 40 if rng.random() < 0.1 else int(rng.integers(60, 96))
    return sensor.jpeg(image, quality)
