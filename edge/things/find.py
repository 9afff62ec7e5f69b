"""Find the things of a frame: the connected parts of its mask."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import UsageError
from edge.runtime.backend import Plane
from edge.things.ground import Bools, Ground, foot
from edge.things.thing import Thing

Bytes = npt.NDArray[np.uint8]
SMALLEST = 2e-4
"""Share of the frame below which a part is left out as noise."""


def binarize(mask: Plane) -> Bytes:
    """Return uint8 [h, w], 1 where a mask is at least one half."""
    half = 128 if mask.dtype == np.uint8 else 0.5
    return (mask >= half).view(np.uint8)


def find_things(
    mask: Plane,
    depth: Plane | None,
    size: tuple[int, int],
    ground: Ground | None = None,
    smallest: float = SMALLEST,
) -> list[Thing]:
    """Return every connected part of a mask, the largest first.

    Args:
        mask: [h, w] as a build gives it, float32 in 0..1 or uint8 in 0..255.
        depth: the same, or None.
        size: (height, width) of the frame that outlines, boxes and feet refer to.
        ground: of the scene; without one there is no ground depth, and nothing hides a foot.
        smallest: share of the frame below which a part is left out as noise.

    Raises:
        UsageError: the ground has another size than the mask.
    """
    binary = binarize(mask)
    height, width = binary.shape
    if ground is not None and ground.size != (height, width):
        raise UsageError(
            f"the ground is {ground.size[1]}x{ground.size[0]}, the mask {width}x{height}",
            "make the ground of the background at the build's size: ground_of(h, edge.fit(h, bg))",
        )
    # Outlines are twenty times cheaper than labels of every pixel.
    outlines, _ = cv2.findContours(binary, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    parts = []
    for outline in outlines:
        box = cv2.boundingRect(outline)
        if box[2] * box[3] < smallest * binary.size:
            continue
        # The outline runs through the centres of the outer pixels: half of each lies outside.
        rim = cv2.arcLength(outline, True) / 2 + 1
        area = min((cv2.contourArea(outline) + rim) / binary.size, 1.0)
        if area >= smallest:
            parts.append((area, box, outline))
    parts.sort(key=lambda part: part[0], reverse=True)
    across, down = size[1] / width, size[0] / height
    white = 255 if mask.dtype == np.uint8 else 1
    things = []
    for area, (left, top, wide, tall), outline in parts:
        within = np.s_[top : top + tall, left : left + wide]
        inside = _inside(outline, left, top, wide, tall)
        standing, own = inside.view(np.bool_), inside & binary[within]
        point = foot(standing, left, top, (height, width))
        if point is not None and ground is not None and ground.hides(standing, left, top):
            point = None
        things.append(
            Thing(
                outline=np.rint((outline[:, 0] + 0.5) * (across, down) - 0.5).astype(np.int32),
                box=(
                    round(left * across),
                    round(top * down),
                    round(wide * across),
                    round(tall * down),
                ),
                area=area,
                foot=None if point is None else (point[0] * across, point[1] * down),
                ground_depth=None if point is None or ground is None else ground.depth_at(*point),
                depth=None if depth is None else _median(depth[within], own.view(np.bool_)),
                confidence=min(cv2.mean(mask[within], own)[0] / white, 1.0),
            )
        )
    return things


def _inside(outline: cv2.typing.MatLike, left: int, top: int, wide: int, tall: int) -> Bytes:
    """uint8 [tall, wide], 1 inside an outline; other parts may reach into its box."""
    inside: Bytes = np.zeros((tall, wide), np.uint8)
    cv2.drawContours(inside, [outline], -1, 1, cv2.FILLED, offset=(-left, -top))
    return inside


def _median(depth: Plane, where: Bools) -> float | None:
    """The median of some pixels of a depth map in 0..1; None where none has a depth."""
    values = depth[where]
    if depth.dtype != np.uint8:
        values = values[np.isfinite(values)]
    if not values.size:
        return None
    middle = values.size // 2
    below = middle - 1 + values.size % 2
    ordered = np.partition(values, (below, middle))  # np.median takes three times as long
    white = 255 if depth.dtype == np.uint8 else 1
    return (float(ordered[below]) + float(ordered[middle])) / 2 / white
