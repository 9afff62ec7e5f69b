"""What a mask holds, as things: where each is, how large and how near."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.runtime.backend import Plane


@dataclass(frozen=True)
class Blob:
    """One connected part of a mask.

    box:   left, top, width and height in pixels of the frame.
    area:  share of the picture inside its outline, 0 to 1 (holes count as part of it).
    depth: median inverse depth of its pixels in 0..1, near is large; None without a depth map.
    """

    box: tuple[int, int, int, int]
    area: float
    depth: float | None


def blobs(
    mask: Plane,
    depth: Plane | None,
    size: tuple[int, int],
    smallest: float = 2e-4,
    most: int = 8,
) -> list[Blob]:
    """The connected parts of a mask, the largest first, at most `most`.

    mask, depth: [h, w] as a build gives them, float32 in 0..1 or uint8 in 0..255.
    size: (height, width) of the frame that the boxes are for.
    smallest: share of the picture below which a part is left out (a few pixels: noise).
    """
    half = 128 if mask.dtype == np.uint8 else 0.5
    found = (mask >= half).view(np.uint8)
    height, width = found.shape
    down, across = size[0] / height, size[1] / width
    # Outlines are twenty times cheaper than labelling every pixel.
    outlines, _ = cv2.findContours(found, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    parts = []
    for outline in outlines:
        left, top, wide, tall = cv2.boundingRect(outline)
        if wide * tall < smallest * found.size:
            continue
        # The outline runs through the centres of the outer pixels: half of each lies outside.
        rim = cv2.arcLength(outline, True) / 2 + 1
        area = min((cv2.contourArea(outline) + rim) / found.size, 1.0)
        if area >= smallest:
            parts.append((area, left, top, wide, tall))
    parts.sort(reverse=True)
    return [
        Blob(
            (
                round(left * across),
                round(top * down),
                round(wide * across),
                round(tall * down),
            ),
            area,
            _depth(found, depth, slice(top, top + tall), slice(left, left + wide)),
        )
        for area, left, top, wide, tall in parts[:most]
    ]


def _depth(found: Plane, depth: Plane | None, rows: slice, columns: slice) -> float | None:
    if depth is None:
        return None
    inside = depth[rows, columns][found[rows, columns] > 0]
    return float(np.median(inside)) / (255 if depth.dtype == np.uint8 else 1)
