"""How results are drawn: the mask outlined, depth in colours, the foreground hidden."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.accuracy import THRESHOLD
from edge.image import size_of, translate
from edge.loop.pipeline import FrameResult
from edge.runtime.backend import Plane
from edge.samples.sample import Image
from edge.scene.background import Background

OUTLINE = (60, 230, 60)
GREY = 128
CELLS = 24
"""Cells across a frame in which `blur` leaves one colour each: no face is recognizable."""
REDACTIONS = ("blur", "fill")
DIFFERENT = 30
"""Grey levels from the background that are hidden whatever the mask says."""


def _resized(plane: Plane, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """An output of a build as float32 in 0..1 at (height, width)."""
    values = plane if plane.dtype == np.float32 else plane.astype(np.float32) / np.float32(255)
    return np.asarray(cv2.resize(values, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def outlined(frame: Image, mask: Plane) -> Image:
    """Return a copy of the frame, uint8 [H, W, 3] BGR, with the outline of the mask."""
    binary = (_resized(mask, size_of(frame)) >= THRESHOLD).astype(np.uint8)
    outlines, _ = cv2.findContours(binary, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return np.asarray(cv2.drawContours(frame.copy(), outlines, -1, OUTLINE, 2), np.uint8)


def coloured(depth: Plane, size: tuple[int, int]) -> Image:
    """Return inverse depth in colours from violet (far) to yellow (near), uint8 [H, W, 3] BGR."""
    level = (255 * np.clip(_resized(depth, size), 0, 1)).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(level, cv2.COLORMAP_PLASMA), np.uint8)


def redacted(
    frame: Image,
    mask: Plane,
    how: str,
    background: Background,
    offset: tuple[float, float] = (0.0, 0.0),
) -> Image:
    """Return the frame with the foreground and a rim around it made unrecognizable.

    Hidden is everything that may be a person, whatever is wrong with the mask or the background:
    the mask at a low threshold, every pixel that differs from the background, and every part of
    the background that is unsure.

    Args:
        frame: uint8 [H, W, 3] BGR.
        mask: [h, w] as a build gives it.
        how: `fill` (grey) or `blur` (one colour in each of CELLS across the frame).
        background: of the frame's size.
        offset: of the frame from the background, in pixels of the frame to the right and down.
    """
    height, width = frame.shape[:2]
    likely = (_resized(mask, (height, width)) >= THRESHOLD / 2).astype(np.uint8)
    likely |= differs(frame, translate(background.image, *offset))
    likely |= translate(background.unsure.astype(np.uint8), *offset)
    reach = 2 * max(2, width // 100) + 1
    covered = cv2.dilate(likely, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    cells = (CELLS, max(1, round(CELLS * height / width)))
    coarse = cv2.resize(frame, cells, interpolation=cv2.INTER_AREA)
    if how == "fill":
        coarse[:] = GREY
    replacement = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(np.where(covered[..., None] > 0, replacement, frame), np.uint8)


def differs(frame: Image, bg: Image) -> npt.NDArray[np.uint8]:
    """Where a frame differs from the background by more than DIFFERENT grey levels, uint8 [H, W]
    of 0 and 1; a median filter removes noise."""
    largest = cv2.medianBlur(cv2.absdiff(frame, bg).max(2), 5)
    return np.asarray(largest > DIFFERENT, np.uint8)


def drawn(result: FrameResult, redact: str | None = None) -> Image:
    """Return a frame with the outline of its mask, and depth beside it where there is one.

    Args:
        result: the result of the frame.
        redact: how `redacted` hides the foreground; None leaves it visible.
    """
    frame, mask = result.frame.image, result.mask
    height, width = frame.shape[:2]
    if redact is not None:
        dx, dy = result.offset or (0.0, 0.0)
        offset = dx * width / mask.shape[1], dy * height / mask.shape[0]
        frame = redacted(frame, result.private, redact, result.background, offset)
    shown = outlined(frame, mask)
    if result.depth is None:
        return shown
    return np.hstack([shown, coloured(result.depth, (height, width))])
