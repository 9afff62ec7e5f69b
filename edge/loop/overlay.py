"""How results are drawn: the mask outlined, depth in colours, the foreground hidden."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.accuracy import THRESHOLD
from edge.runtime.backend import Plane
from edge.samples.sample import Image

OUTLINE = (60, 230, 60)
GREY = 128
CELLS = 24
"""Cells across a frame in which `blur` leaves one colour each: no face is recognizable."""
REDACTIONS = ("blur", "fill")


def _resized(plane: Plane, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """An output of a build as float32 in 0..1 at (height, width)."""
    values = plane if plane.dtype == np.float32 else plane.astype(np.float32) / np.float32(255)
    return np.asarray(cv2.resize(values, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def outlined(frame: Image, mask: Plane) -> Image:
    """Return a copy of the frame, uint8 [H, W, 3] BGR, with the outline of the mask."""
    binary = (_resized(mask, frame.shape[:2]) >= THRESHOLD).astype(np.uint8)
    outlines, _ = cv2.findContours(binary, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return np.asarray(cv2.drawContours(frame.copy(), outlines, -1, OUTLINE, 2), np.uint8)


def coloured(depth: Plane, size: tuple[int, int]) -> Image:
    """Return inverse depth in colours from violet (far) to yellow (near), uint8 [H, W, 3] BGR."""
    level = (255 * np.clip(_resized(depth, size), 0, 1)).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(level, cv2.COLORMAP_PLASMA), np.uint8)


def redacted(frame: Image, mask: Plane, how: str) -> Image:
    """Return the frame with the foreground and a rim around it made unrecognizable.

    The rim and a low threshold make up for masks that are slightly too small.

    Args:
        frame: uint8 [H, W, 3] BGR.
        mask: [h, w] as a build gives it.
        how: `fill` (grey) or `blur` (one colour in each of CELLS across the frame).
    """
    height, width = frame.shape[:2]
    likely = (_resized(mask, (height, width)) >= THRESHOLD / 2).astype(np.uint8)
    reach = 2 * max(2, width // 100) + 1
    covered = cv2.dilate(likely, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    cells = (CELLS, max(1, round(CELLS * height / width)))
    coarse = cv2.resize(frame, cells, interpolation=cv2.INTER_AREA)
    if how == "fill":
        coarse[:] = GREY
    replacement = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(np.where(covered[..., None] > 0, replacement, frame), np.uint8)


def drawn(frame: Image, mask: Plane, depth: Plane | None, redact: str | None = None) -> Image:
    """Return the frame with the outline of the mask, and depth beside it where there is one.

    Args:
        frame: uint8 [H, W, 3] BGR.
        mask: [h, w] as a build gives it.
        depth: the same, or None.
        redact: how `redacted` hides the foreground; None leaves it visible.
    """
    if redact is not None:
        frame = redacted(frame, mask, redact)
    parts = [outlined(frame, mask)]
    if depth is not None:
        parts.append(coloured(depth, frame.shape[:2]))
    return np.hstack(parts)
