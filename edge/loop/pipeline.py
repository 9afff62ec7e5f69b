"""The pipeline of one camera: from a frame to mask, depth and blobs."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from edge.camera.camera import Camera
from edge.camera.source import Frame
from edge.errors import EdgeError, UsageError
from edge.image import fit
from edge.loop.blobs import Blob, binarize, blobs
from edge.runtime.backend import Plane
from edge.runtime.handle import Handle, infer, set_background
from edge.samples.sample import Image
from edge.scene.stabilize import Stabilizer


@dataclass(frozen=True)
class FrameResult:
    """The result of one frame.

    Attributes:
        frame: the frame.
        mask, depth: [h, w] as `edge.infer` gives them, valid until two further frames of this
            camera are processed; depth is None where the network has none.
        foreground: share of the frame in the mask, 0 to 1.
        blobs: connected parts of the mask, the largest first.
        offset: how far the camera was off, in pixels of the build to the right and down; None
            without stabilization.
        busy_ms: milliseconds of computing.
        latency_ms: milliseconds since the frame arrived, waiting included.
    """

    frame: Frame
    mask: Plane
    depth: Plane | None
    foreground: float
    blobs: list[Blob]
    offset: tuple[float, float] | None
    busy_ms: float
    latency_ms: float


class CameraPipeline:
    """A camera, its background, and an open build.

    Args:
        camera: source of the frames.
        h: an open build with a mask.
        bg: background, uint8 [H, W, 3] BGR of the camera's size.
        stabilize: register the frames of a trembling camera to the background first.

    Raises:
        UsageError: the build gives no mask, or bg is not an image.
    """

    def __init__(self, camera: Camera, h: Handle, bg: Image, stabilize: bool = True) -> None:
        if not any(tensor.name.startswith("mask") for tensor in h.manifest.outputs):
            raise UsageError(f"{h.manifest.name} gives no mask; build a network that does")
        _check_image(bg, "bg")
        self.camera, self.h, self.size = camera, h, bg.shape[:2]
        self.stabilizer = Stabilizer(h, fit(h, bg)) if stabilize else None
        if self.stabilizer is None:
            set_background(h, fit(h, bg))

    def process(self, frame: Frame) -> FrameResult:
        """Infer a frame of the camera and find its blobs.

        Raises:
            EdgeError: the frame has another size than the background.
        """
        _check_image(frame.image, "frame")
        if frame.image.shape[:2] != self.size:
            given, expected = (f"{w}x{h}" for h, w in (frame.image.shape[:2], self.size))
            raise EdgeError(
                f"{self.camera.name} gives {given}, its background is {expected}",
                f"make one of this size: edge background {self.camera.name}",
            )
        start = time.perf_counter()
        image = fit(self.h, frame.image)
        mask, depth = self.stabilizer.infer(image) if self.stabilizer else infer(self.h, image)
        assert mask is not None
        return FrameResult(
            frame=frame,
            mask=mask,
            depth=depth,
            foreground=float(binarize(mask).mean()),
            blobs=blobs(mask, depth, self.size),
            offset=self.stabilizer.offset if self.stabilizer else None,
            busy_ms=1e3 * (time.perf_counter() - start),
            latency_ms=1e3 * (time.monotonic() - frame.arrived),
        )


def _check_image(image: Image, name: str) -> None:
    shape: tuple[int, ...] = getattr(image, "shape", ())
    dtype = getattr(image, "dtype", type(image).__name__)
    if len(shape) != 3 or shape[2] != 3 or 0 in shape or dtype != np.uint8:
        raise UsageError(f"{name} is {dtype} {list(shape)}, expected uint8 [height, width, 3]")
