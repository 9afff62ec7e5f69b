"""What is kept of the frame of an event: to look at, and to learn from where it was wrong."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.loop.overlay import coloured
from edge.loop.pipeline import FrameResult
from edge.scene.background import Background
from edge.sinks.snapshots import jpeg
from edge.view.pictures import QUALITY, picture_of, resized, snapshot

KEPT = 95
"""Quality, of JPEG, of what a network may learn from."""


@dataclass(frozen=True)
class Evidence:
    """The frame of an event; pictures are files in memory.

    Attributes:
        picture: JPEG, the frame with the mask outlined.
        background: JPEG, what it was compared with.
        mask: PNG, what the network gave, 0 to 255.
        depth: JPEG in colours; None where the network has none.
        frame: JPEG, the frame as it was; None with `--redact`, which keeps no such frame.
        spread: PNG of the background's spread; None where it is unknown.
    """

    picture: bytes
    background: bytes
    mask: bytes
    depth: bytes | None
    frame: bytes | None
    spread: bytes | None


class Witness:
    """Keeps the frames of events; used in one thread alone."""

    def __init__(self) -> None:
        self._empty: dict[str, tuple[Background, str | None, bytes, bytes | None]] = {}

    def keep(self, camera: str, result: FrameResult, redact: str | None) -> Evidence:
        """Keep a frame.

        Args:
            camera: its name.
            result: of the frame.
            redact: how the foreground is hidden (edge.loop.overlay.redacted), or None.
        """
        background, spread = self._background(camera, result.background, redact)
        depth = None
        if result.depth is not None:
            height, width = result.depth.shape[:2]
            depth = jpeg(coloured(result.depth, (height, width)), QUALITY)
        return Evidence(
            picture=snapshot(result, redact),
            background=background,
            mask=png(_levels(result.mask)),
            depth=depth,
            frame=None if redact else jpeg(resized(result.frame.image, 1), KEPT),
            spread=spread,
        )

    def _background(
        self, camera: str, background: Background, redact: str | None
    ) -> tuple[bytes, bytes | None]:
        """The files of a background and of its spread, drawn once for all events before it."""
        known = self._empty.get(camera)
        if known is None or known[0] is not background or known[1] != redact:
            picture = jpeg(picture_of(background, redact), KEPT)
            spread = None if background.spread is None or redact else png(background.spread)
            known = self._empty[camera] = background, redact, picture, spread
        return known[2], known[3]


def png(image: npt.NDArray[np.uint8]) -> bytes:
    """An image, uint8 [H, W] or [H, W, 3] BGR, as PNG."""
    return cv2.imencode(".png", image)[1].tobytes()


def _levels(mask: npt.NDArray[np.float32] | npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    if mask.dtype == np.uint8:
        return np.asarray(mask, np.uint8)
    return np.rint(255 * np.clip(mask.astype(np.float32), 0, 1)).astype(np.uint8)
