"""A rendered scene as a camera: `synthetic://room|corridor|yard[?seed=N]`.

Importing this module registers the scheme in edge.camera.source.SCHEMES.
"""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import numpy as np

from edge.calibrate.rendering.scene import RenderedScene
from edge.calibrate.rendering.sensor import noise
from edge.camera.source import SCHEMES, Decoded
from edge.errors import UsageError
from edge.samples.sample import FOREGROUND

FPS = 15.0
SIZE = (240, 320)
"""Height and width of the frames."""


class RenderedCamera:
    """An endless stream of rendered frames, each with its true mask."""

    live, fps = False, FPS

    def __init__(self, kind: str, seed: int) -> None:
        try:
            self._scene = RenderedScene(kind, seed, SIZE)
        except ValueError as error:
            raise UsageError(f"synthetic://{kind}: {error}") from error
        self._seed, self._number = seed, 0

    def read(self) -> Decoded:
        frame = self._scene.frame(self._number / self.fps, camouflage=False, empty=False)
        rng = np.random.default_rng([self._seed, self._number])
        self._number += 1
        return Decoded(noise(frame.image, rng, 2.0), frame.mask == FOREGROUND)

    def skip(self) -> bool:
        self._number += 1
        return True

    def close(self) -> None:
        pass


def open_rendered(url: str) -> RenderedCamera:
    """Open the camera of a synthetic:// address.

    Raises:
        UsageError: The kind of scene is unknown or the seed is not a number.
    """
    parts = urlsplit(url)
    seed = parse_qs(parts.query).get("seed", ["0"])[0]
    if not seed.isdigit():
        raise UsageError(f"{url}: seed is {seed!r}, expected a number")
    return RenderedCamera(parts.netloc or "room", int(seed))


SCHEMES["synthetic"] = open_rendered
