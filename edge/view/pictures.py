"""Frames as they travel to a browser: resized, the mask outlined, depth in colours, as JPEG."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from edge.loop.overlay import coloured, drawn, redacted
from edge.loop.pipeline import FrameResult
from edge.samples.sample import Image
from edge.scene.background import Background
from edge.sinks.snapshots import jpeg
from edge.things.tracks import Track

NARROWEST, WIDEST = 640, 960
"""Pixels across a picture: outlines stay thin on small frames, and large ones small."""
QUALITY = 80
"""Of JPEG, 0 to 100."""


def snapshot(result: FrameResult, redact: str | None) -> bytes:
    """The JPEG of a frame with the outline of its mask.

    Args:
        result: of the frame.
        redact: how the foreground is hidden (edge.loop.overlay.redacted), or None.
    """
    small = replace(
        result,
        frame=replace(result.frame, image=resized(result.frame.image)),
        background=result.background if redact is None else _resized(result.background),
        depth=None,
    )
    return jpeg(drawn(small, redact), QUALITY)


def message(
    camera: str, number: int, result: FrameResult, tracks: tuple[Track, ...], redact: str | None
) -> bytes:
    """A frame with its tracks: the length of a header (4 bytes, big-endian), the header as JSON,
    the JPEG of the frame, and the JPEG of its depth where there is one.

    The header has `camera`, `number`, `frame` (bytes of the first JPEG), `size` (height and width
    of the camera's frames) and `tracks`, each with `number`, `seen` (in this frame), and `box` and
    `foot` in pixels of the camera's frames.
    """
    frame = snapshot(result, redact)
    depth = b""
    if result.depth is not None:
        height, width = result.depth.shape[:2]
        depth = jpeg(coloured(result.depth, (height, width)), QUALITY)
    header = json.dumps(
        {
            "camera": camera,
            "number": number,
            "frame": len(frame),
            "size": result.frame.image.shape[:2],
            "tracks": [_track(track, result.frame.at) for track in tracks],
        }
    ).encode()
    return struct.pack(">I", len(header)) + header + frame + depth


def _track(track: Track, at: float) -> dict[str, Any]:
    foot = track.thing.foot
    return {
        "number": track.number,
        "seen": track.last_seen >= at,
        "box": [round(float(side), 1) for side in track.thing.box],
        "foot": None if foot is None else [round(float(each), 1) for each in foot],
    }


def picture_of(background: Background, redact: str | None) -> Image:
    """A background as it is shown; with `redact` without what was hardly ever seen empty, where
    somebody may have stood."""
    small = _resized(background, 1)
    if redact is None:
        return small.image
    return redacted(small.image, np.zeros(small.image.shape[:2], np.uint8), redact, small)


def resized(image: Image, narrowest: int = NARROWEST) -> Image:
    """An image, uint8 [H, W, 3] BGR, from `narrowest` to WIDEST across."""
    height, width = image.shape[:2]
    wide = min(max(width, narrowest), WIDEST)
    if width == wide:
        return image
    size = wide, max(1, round(height * wide / width))
    how = cv2.INTER_AREA if wide < width else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)


def _resized(background: Background, narrowest: int = NARROWEST) -> Background:
    image = resized(background.image, narrowest)
    confidence = cv2.resize(
        background.confidence, image.shape[1::-1], interpolation=cv2.INTER_NEAREST
    )
    return replace(background, image=image, confidence=np.asarray(confidence, np.uint8))
