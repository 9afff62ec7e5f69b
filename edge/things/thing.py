"""A thing: one connected part of a mask, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Thing:
    """Something that is new in the scene, in one frame.

    Attributes:
        outline: int32 [K, 2], x and y in pixels of the frame.
        box: left, top, width and height in pixels of the frame.
        area: share of the frame inside the outline, 0 to 1; holes count as part of it.
        foot: x and y in pixels of the frame where the mask meets the ground; None where that is
            cut off by the frame's border or hidden by something nearer.
        ground_depth: the depth of the scene at the foot, relative inverse depth in 0..1, near is
            large; None without a foot or without a depth of the scene.
        depth: its own median depth, in the same unit; None without a depth map.
        confidence: mean of the mask inside the outline, 0 to 1.
    """

    outline: npt.NDArray[np.int32]
    box: tuple[int, int, int, int]
    area: float
    foot: tuple[float, float] | None
    ground_depth: float | None
    depth: float | None
    confidence: float
