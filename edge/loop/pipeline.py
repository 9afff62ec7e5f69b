"""One camera seen through a build: from a frame to what is new in it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from edge.camera.camera import Camera, Frame
from edge.errors import EdgeError, UsageError
from edge.image import fit
from edge.loop.blobs import Blob, blobs
from edge.runtime.backend import Plane
from edge.runtime.handle import Handle, infer, set_background
from edge.samples.sample import Image
from edge.scene.stabilize import Stabilizer


@dataclass(frozen=True)
class Seen:
    """What was made of a frame.

    mask, depth: as `edge.infer` gives them, valid until the next but one frame of this view.
    foreground: share of the picture, 0 to 1. things: the largest first. busy_ms: from the frame in
    hand to this; latency_ms: from its arrival, waiting included.
    """

    frame: Frame
    mask: Plane
    depth: Plane | None
    foreground: float
    things: list[Blob]
    busy_ms: float
    latency_ms: float


class View:
    """A camera, its empty scene (uint8 [H, W, 3] BGR of the camera's size), and an open build.

    steady: frames of a camera that trembles are registered to the background first (scene.stabilize).
    """

    def __init__(self, camera: Camera, h: Handle, bg: Image, steady: bool = True) -> None:
        if not any(tensor.name.startswith("mask") for tensor in h.manifest.outputs):
            raise UsageError(f"{h.manifest.name} gives no mask; build a network that does")
        self.camera, self.h, self.size = camera, h, bg.shape[:2]
        self.steady = Stabilizer(h, fit(h, bg)) if steady else None
        if self.steady is None:
            set_background(h, fit(h, bg))

    def look(self, frame: Frame) -> Seen:
        """Infer a frame of the camera."""
        if frame.picture.shape[:2] != self.size:
            found, expected = (f"{w}x{h}" for h, w in (frame.picture.shape[:2], self.size))
            raise EdgeError(
                f"{self.camera.name} gives {found}, its background is {expected};"
                f" make one of this size: edge background {self.camera.name}"
            )
        start = time.perf_counter()
        small = fit(self.h, frame.picture)
        mask, depth = self.steady.infer(small) if self.steady else infer(self.h, small)
        assert mask is not None
        things = blobs(mask, depth, self.size)
        half = 128 if mask.dtype == np.uint8 else 0.5
        share = float((mask >= half).mean())
        busy = 1e3 * (time.perf_counter() - start)
        latency = 1e3 * (time.monotonic() - frame.arrived)
        return Seen(frame, mask, depth, share, things, busy, latency)
