"""A rendered scene as a camera: `synthetic://room|corridor|yard[?seed=N][&live=1]`.

Importing this module registers the scheme in edge.camera.source.SCHEMES.
"""

from __future__ import annotations

import time
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
    """An endless stream of rendered frames, each with its true mask.

    Args:
        kind, seed: of the scene.
        live: frames come when it is their time, as those of a camera; those are left out for which
            this machine has no time. Otherwise each comes as soon as it is taken.
    """

    fps = FPS

    def __init__(self, kind: str, seed: int, live: bool = False) -> None:
        try:
            self._scene = RenderedScene(kind, seed, SIZE)
        except ValueError as error:
            raise UsageError(f"synthetic://{kind}: {error}") from error
        self.live = live
        self._began: float | None = None
        self._seed, self._number = seed, 0

    def read(self) -> Decoded:
        if self.live:
            self._wait()
        frame = self._scene.frame(self._number / self.fps, camouflage=False, empty=False)
        rng = np.random.default_rng([self._seed, self._number])
        self._number += 1
        return Decoded(noise(frame.image, rng, 2.0), frame.mask == FOREGROUND)

    def _wait(self) -> None:
        """Go on to the frame whose time is next, and wait for it."""
        now = time.monotonic()
        if self._began is None:
            self._scene.background()  # what is computed once is no part of the first frame's time
            self._began = now = time.monotonic()
        self._number = max(self._number, int((now - self._began) * self.fps))
        time.sleep(max(0.0, self._began + self._number / self.fps - now))

    def skip(self) -> bool:
        self._number += 1
        return True

    def close(self) -> None:
        pass


def open_rendered(url: str) -> RenderedCamera:
    """Open the camera of a synthetic:// address.

    Raises:
        UsageError: The kind of scene is unknown, or seed or live is not what it can be.
    """
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
    except ValueError as error:
        raise UsageError(f"{url} is no address: {error}", "as in synthetic://room?seed=3") from None
    seed, live = (query.get(key, ["0"])[0] for key in ("seed", "live"))
    if not (seed.isascii() and seed.isdigit() and len(seed) < 20):
        raise UsageError(f"{url}: seed is {seed[:40]!r}, expected a number")
    if live not in ("0", "1"):
        raise UsageError(f"{url}: live is {live!r}, expected 0 or 1")
    return RenderedCamera(parts.netloc or "room", int(seed), live == "1")


SCHEMES["synthetic"] = open_rendered
