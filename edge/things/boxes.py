"""Boxes as left, top, right and bottom, and how they lie to each other."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Box = tuple[float, float, float, float]
Floats = npt.NDArray[np.float64]


def stack(boxes: Iterable[Box]) -> Floats:
    """float64 [N, 4]."""
    return np.array(list(boxes), np.float64).reshape(-1, 4)


def areas(boxes: Floats) -> Floats:
    """float64 [N]."""
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))


def shared(some: Floats, others: Floats) -> Floats:
    """The area that each of some boxes has in common with each of others, float64 [N, M]."""
    first, second = some[:, None], others[None]
    wide = np.minimum(first[..., 2], second[..., 2]) - np.maximum(first[..., 0], second[..., 0])
    tall = np.minimum(first[..., 3], second[..., 3]) - np.maximum(first[..., 1], second[..., 1])
    return np.asarray(wide.clip(0) * tall.clip(0))


def grown(boxes: Floats, share: float) -> Floats:
    """Boxes with a rim of a share of their sizes on each side."""
    rim = share * (boxes[:, 2:] - boxes[:, :2])
    return np.concatenate([boxes[:, :2] - rim, boxes[:, 2:] + rim], 1)


def iou(one: Box, other: Box) -> float:
    """Intersection over union."""
    first, second = stack([one]), stack([other])
    both = float(shared(first, second)[0, 0])
    return both / max(float(areas(first)[0] + areas(second)[0]) - both, 1e-9)


def around(boxes: Iterable[Box]) -> Box:
    """The box around some boxes, one at least."""
    all_ = stack(boxes)
    left, top = all_[:, :2].min(0).tolist()
    right, bottom = all_[:, 2:].max(0).tolist()
    return left, top, right, bottom


def stacked(one: Box, others: Floats) -> tuple[Floats, Floats]:
    """How far a box is above or below others, [N, 4].

    Returns:
        For each, the share of the narrower one's width that they have in common, and the gap
        between them as a share of the height of both (negative where they overlap).
    """
    left, top, right, bottom = others.T
    wide = np.minimum(one[2], right) - np.maximum(one[0], left)
    narrow = np.minimum(one[2] - one[0], right - left)
    gap = np.maximum(one[1], top) - np.minimum(one[3], bottom)
    tall = np.maximum(one[3], bottom) - np.minimum(one[1], top)
    return wide / narrow, gap / tall
