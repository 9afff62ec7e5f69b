"""What a person is shown of a frame: the mask outlined, depth in colours, things made unseen."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.accuracy import THRESHOLD
from edge.runtime.backend import Plane
from edge.samples.sample import Image

RIM = (60, 230, 60)
GREY = 128
CELLS = 24
"""Cells across a picture in which `blurred` leaves one colour each: no face is left."""


def _at(plane: Plane, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """A build's output as float32 in 0..1 at (height, width)."""
    values = plane if plane.dtype == np.float32 else plane.astype(np.float32) / np.float32(255)
    large = cv2.resize(values, size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.float32)


def outlined(frame: Image, mask: Plane) -> Image:
    """The frame with a line around what the mask holds."""
    found = (_at(mask, frame.shape[:2]) >= THRESHOLD).astype(np.uint8)
    rims, _ = cv2.findContours(found, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return np.asarray(cv2.drawContours(frame.copy(), rims, -1, RIM, 2), np.uint8)


def coloured(depth: Plane, size: tuple[int, int]) -> Image:
    """Inverse depth as colours from violet (far) to yellow (near), uint8 [H, W, 3] BGR."""
    level = (255 * np.clip(_at(depth, size), 0, 1)).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(level, cv2.COLORMAP_PLASMA), np.uint8)


def redacted(frame: Image, mask: Plane, how: str) -> Image:
    """The frame with what the mask covers, and a rim around it, made unseen.

    how: `fill` (grey) or `blur` (CELLS across the picture, one colour each). The rim and the low
    threshold make up for masks that are a little too small.
    """
    height, width = frame.shape[:2]
    likely = (_at(mask, (height, width)) >= THRESHOLD / 2).astype(np.uint8)
    reach = 2 * max(2, width // 100) + 1
    covered = cv2.dilate(likely, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    cells = (CELLS, max(1, round(CELLS * height / width)))
    coarse = cv2.resize(frame, cells, interpolation=cv2.INTER_AREA)
    if how == "fill":
        coarse[:] = GREY
    instead = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(np.where(covered[..., None] > 0, instead, frame), np.uint8)
