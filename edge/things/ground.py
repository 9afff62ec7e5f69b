"""The ground of a scene: where a thing meets it, and how far away that is."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.manifest import SCENE_DEPTH
from edge.runtime.handle import Handle, scene_depth
from edge.samples.sample import Image

Bools = npt.NDArray[np.bool_]

BAND = 0.08
"""Share of a thing's height, from below, that is its foot."""
LEVEL, ALONG = 20.0, 7
"""Grey levels of an edge of the background, averaged over so many columns: what is in front of the
ground has a long edge, texture has not."""
REACH = 3 / 224
"""Share of the rows within which a thing ends at an edge."""
ENDS = 0.35
"""Share of a thing's columns that end at an edge of the background where the thing is hidden from
there on. Feet on a floor with lines reach .2, people cut by a table .4 to 1."""
LOW = 0.1
"""Share of a thing's height in which its columns count as ending at its lower end."""
TALL = 20 / 224
"""Share of the rows from which a thing's lower end is looked at closely."""
STEP = 1.8
"""Ratio of the scene's depths just below and just above a foot from which something nearer is in
front. The ground itself makes up to 1.7."""


class Ground:
    """Where things stand in a scene; everything that depends on the background alone.

    Args:
        bg: uint8 [h, w, 3] BGR of the masks' size.
        depth: the scene's depth (`edge.scene_depth`), float32 [h, w] in 0..1, near is large; None
            where the build has none.

    Attributes:
        size: (height, width) of both.
        depth: as given.
    """

    def __init__(self, bg: Image, depth: npt.NDArray[np.float32] | None) -> None:
        height = bg.shape[0]
        self.size = height, bg.shape[1]
        self.depth = depth
        self._reach = max(1, round(REACH * height))
        self._tall = max(4, round(TALL * height))
        smooth = cv2.GaussianBlur(bg, (0, 0), 1).astype(np.float32)
        down = np.zeros_like(smooth)
        down[1:-1] = smooth[2:] - smooth[:-2]
        strong = np.abs(cv2.blur(down, (ALONG, 1))).max(2) > LEVEL
        around = np.ones((2 * self._reach + 1, 3), np.uint8)
        self._edges = cv2.dilate(strong.astype(np.uint8), around)

    def depth_at(self, x: float, y: float) -> float | None:
        """The scene's depth at a point of the mask's pixels; None where it is unknown."""
        if self.depth is None:
            return None
        height, width = self.depth.shape
        value = float(self.depth[min(max(int(y), 0), height - 1), min(max(int(x), 0), width - 1)])
        return value if np.isfinite(value) else None

    def hides(self, inside: Bools, left: int, top: int) -> bool:
        """Whether the lower end of a thing is hidden by something nearer.

        It is where the thing's columns end along an edge of the background (a table, a sill, a
        sofa), or where the scene's depth steps towards the camera.

        Args:
            inside: bool [h, w], the pixels of the thing in its box.
            left, top: of the box.
        """
        tall, wide = inside.shape
        if tall < self._tall:
            return False
        last = tall - 1 - inside[::-1].argmax(0)
        low = last >= tall - max(2.0, LOW * tall)
        rows = np.minimum(top + last + 1, self._edges.shape[0] - 1)
        ends = self._edges[rows, np.arange(left, left + wide)] & low
        if np.count_nonzero(ends) >= ENDS * wide:
            return True
        x = left + float(np.flatnonzero(low).mean())
        below = self.depth_at(x, top + tall + 2 * self._reach)
        above = self.depth_at(x, top + tall - 2 * self._reach)
        return below is not None and above is not None and below > STEP * max(above, 0.02)


def ground_of(h: Handle, bg: Image) -> Ground:
    """The ground of an open build whose background, at its size, is `bg`."""
    knows = any(tensor.name == SCENE_DEPTH for tensor in h.manifest.scene)
    return Ground(bg, scene_depth(h) if knows else None)


def foot(inside: Bools, left: int, top: int, size: tuple[int, int]) -> tuple[float, float] | None:
    """Where a thing meets the ground: the middle of its lowest band, at its lower end.

    Args:
        inside: bool [h, w], the pixels of the thing in its box.
        left, top: of the box.
        size: (height, width) of the mask.

    Returns:
        x and y in the mask's pixels; None where the frame's border cuts it off.
    """
    tall = inside.shape[0]
    if top + tall >= size[0] - 1:
        return None
    columns = np.nonzero(inside[-max(1, round(BAND * tall)) :])[1]
    if left + int(columns.min()) <= 0 or left + int(columns.max()) >= size[1] - 1:
        return None
    return left + float(columns.mean()) + 0.5, float(top + tall)
