"""What is kept of the frame of an event: to look at, and to learn from where it was wrong."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.loop.overlay import coloured
from edge.loop.pipeline import FrameResult
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


def evidence(result: FrameResult, redact: str | None) -> Evidence:
    """Keep a frame.

    Args:
        result: of the frame.
        redact: how the foreground is hidden (edge.loop.overlay.redacted), or None.
    """
    spread = result.background.spread
    depth = None
    if result.depth is not None:
        height, width = result.depth.shape[:2]
        depth = jpeg(coloured(result.depth, (height, width)), QUALITY)
    return Evidence(
        picture=snapshot(result, redact),
        background=jpeg(picture_of(result.background, redact), KEPT),
        mask=png(_levels(result.mask)),
        depth=depth,
        frame=None if redact else jpeg(resized(result.frame.image, 1), KEPT),
        spread=None if spread is None or redact else png(spread),
    )


def png(image: npt.NDArray[np.uint8]) -> bytes:
    """An image, uint8 [H, W] or [H, W, 3] BGR, as PNG."""
    return cv2.imencode(".png", image)[1].tobytes()


def _levels(mask: npt.NDArray[np.float32] | npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    if mask.dtype == np.uint8:
        return np.asarray(mask, np.uint8)
    return np.rint(255 * np.clip(mask.astype(np.float32), 0, 1)).astype(np.uint8)
