"""Rendered scenes as samples: no files needed, mask and depth exactly true."""

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
"""Between two frames of a scene."""


class Rendered:
    """`count` frames of fixed-camera scenes, `frames_per_scene` of each; kinds take turns.

    size: (height, width). Sample i depends on (seed, size, i) alone. About one frame in twelve is
    empty, in one of seven the newcomers wear the colours of the place.
    """

    def __init__(
        self,
        count: int = 64,
        size: tuple[int, int] = (240, 320),
        seed: int = 0,
        frames_per_scene: int = 8,
    ) -> None:
        self.name = "rendered"
        self.skipped: dict[str, str] = {}
        self._count, self._size, self._seed = count, size, seed
        self._per_scene = frames_per_scene
        self._scene = lru_cache(maxsize=3)(self._make_scene)

    def __len__(self) -> int:
        return self._count

    def sequence(self, index: int) -> str:
        number = index // self._per_scene
        return f"{KINDS[number % len(KINDS)]}-{self._seed}-{number:03d}"

    def _make_scene(self, number: int) -> tuple[RenderedScene, Image, float]:
        """The scene, its spoiled background and what inverse depth is divided by."""
        kind = KINDS[number % len(KINDS)]
        scene = RenderedScene(kind, self._seed * 100_003 + number, self._size)
        rng = np.random.default_rng([VERSION, self._seed, number, 0])
        empty = scene.background()
        bg = _recorded(
            sensor.looked_up(
                empty.picture,
                sensor.light_table(rng, gain=(0.85, 1.15), balance=0.03, gamma=0.1, offset=2),
            ),
            rng,
        )
        return scene, bg, float(np.percentile(empty.inverse_depth, 99.5)) * 1.25

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self._count:
            raise IndexError(f"sample {index} of {self._count}")
        number, turn = divmod(index, self._per_scene)
        scene, bg, nearest = self._scene(number)
        rng = np.random.default_rng([VERSION, self._seed, number, turn + 1])
        empty, camouflage = rng.random() < 1 / 12, rng.random() < 1 / 7
        frame = scene.frame(turn * SECONDS + rng.uniform(0, 0.5), camouflage, empty)
        picture = frame.picture
        if rng.random() < 0.5:
            table = sensor.light_table(rng, gain=(0.8, 1.25), balance=0.04, gamma=0.1, offset=3)
            picture = sensor.looked_up(picture, table)
        picture = translate(picture, *rng.uniform(-0.7, 0.7, 2)) if rng.random() < 0.4 else picture
        return Sample(
            f"{self.sequence(index)}/{turn}",
            bg,
            _recorded(picture, rng),
            frame.mask,
            np.clip(frame.inverse_depth / nearest, 0, 1).astype(np.float32),
            depth_is_true=True,
        )

    def fingerprint(self) -> str:
        text = f"rendered {VERSION} {self._count} {self._size} {self._seed} {self._per_scene}"
        return hashlib.sha256(text.encode()).hexdigest()


def _recorded(picture: Image, rng: Rng) -> Image:
    """Through a lens, a sensor and a compressor."""
    picture = sensor.blur(picture, rng.uniform(0.2, 0.7))
    picture = sensor.noise(picture, rng, rng.uniform(1, 4))
    quality = 40 if rng.random() < 0.1 else int(rng.integers(60, 96))
    return sensor.jpeg(picture, quality)
