"""Snapshots: the frame of an event as JPEG, with the mask outlined."""

from __future__ import annotations

from dataclasses import replace

import cv2

from edge.errors import EdgeError
from edge.loop.overlay import drawn
from edge.loop.pipeline import FrameResult
from edge.samples.sample import Image

QUALITY = 90
"""Of JPEG, 0 to 100."""


def snapshot(result: FrameResult, redact: str | None) -> bytes:
    """The JPEG of a frame with the outline of its mask; redact as of edge.loop.overlay.drawn."""
    return jpeg(drawn(replace(result, depth=None), redact), QUALITY)


def jpeg(image: Image, quality: int) -> bytes:
    """An image, uint8 [H, W, 3] BGR, as JPEG."""
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise EdgeError(f"an image of {image.shape[1]}x{image.shape[0]} cannot be a JPEG")
    return data.tobytes()
