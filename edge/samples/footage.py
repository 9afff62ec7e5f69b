"""Unlabelled footage of a fixed camera as samples: enough for activation ranges."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path

import numpy as np

from edge.progress import bar
from edge.samples.image_file import images_in
from edge.samples.sample import IGNORED, Image, Sample

WHOLE = 1e7
"""Seconds, longer than any recording."""


def is_footage(path: Path) -> bool:
    """Whether a path can be footage: a file, or a folder of images without folders of images."""
    return path.is_file() or {file.parent for file in images_in(path)} == {path}


class Footage:
    """A video or a folder of frames: frames evenly spread over all of it, all labels unknown.

    The background and its spread are estimated from the same frames. Without a network that spread
    counts passers-by in, which is no harm to ranges; every other sample has none, because a build
    runs without a spread too.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = path.name
        self.skipped: dict[str, str] = {}

    @cached_property
    def _images(self) -> list[Image]:
        from edge.scene.gather import gather_images

        def skip(message: str) -> None:
            self.skipped[f"{self.name}, {len(self.skipped)}"] = message

        with bar() as progress:
            task = progress.add_task("reading footage", total=None)
            return gather_images(str(self._path), WHOLE, None, lambda: progress.advance(task), skip)

    @cached_property
    def _bg(self) -> Image:
        from edge.scene.background import estimate_background

        return estimate_background(self._images).image

    @cached_property
    def _spread(self) -> Image:
        from edge.scene.spread import spread_of

        return spread_of(self._images, self._bg)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Sample:
        image = self._images[index]
        unknown = np.full(image.shape[:2], IGNORED, np.uint8)
        spread = None if index % 2 else self._spread
        return Sample(f"{self.name}/{index}", self._bg, image, unknown, spread=spread)

    def sequence(self, index: int) -> str:
        return self.name

    def fingerprint(self) -> str:
        """Hash the frames, of which the background is made, too."""
        digest = hashlib.sha256()
        for image in self._images:
            digest.update(repr(image.shape).encode())
            digest.update(image.tobytes())
        return digest.hexdigest()
