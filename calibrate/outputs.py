"""Checks that a network's outputs stay within 0..1.

The contract finds outputs that are unbounded by the graph alone (edge.graph.contract); here the
graph runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edge.calibrate.evaluator import exact_session
from edge.errors import EdgeError
from edge.graph.contract import OUTPUTS
from edge.graph.fold import Split
from edge.runtime.cores import usable_cores

SLACK = 1e-3
"""How far float rounding may take a value out of 0..1."""


def check_values(split: Split, size: tuple[int, int]) -> None:
    """Run a float network on noise, black and white.

    Args:
        split: Its graphs.
        size: (height, width).

    Raises:
        EdgeError: An output is not within 0..1.
    """
    first, second = np.random.default_rng(0).integers(0, 256, (2, 1, *size, 3), np.uint8)
    black, white = np.zeros_like(first), np.full_like(first, 255)
    frame = exact_session(split.frame, usable_cores())
    inputs = [value.name for value in frame.get_inputs()]
    outputs = [value.name for value in frame.get_outputs()]
    background = exact_session(split.background, usable_cores()) if split.background else None
    for bg, fg_bg in ((first, second), (black, white), (white, black)):
        feeds: dict[str, Any] = {"bg": bg, "fg_bg": fg_bg}
        if background is not None:
            values = background.run(list(split.scene), {"bg": bg})
            feeds |= dict(zip(split.scene, values, strict=True))
        planes = frame.run(outputs, {name: feeds[name] for name in inputs})
        extremes = {
            name: (float(plane.min()), float(plane.max()))
            for name, plane in zip(outputs, planes, strict=True)
        }
        check_ranges(extremes, "on images of noise, black and white")


def check_ranges(ranges: Mapping[str, tuple[float, float]], where: str) -> None:
    """Refuse a network whose outputs left 0..1.

    Args:
        ranges: Lowest and highest value by tensor; tensors that are no outputs do not matter.
        where: The frames that gave them, for the message.

    Raises:
        EdgeError: A value is outside 0..1, or no number.
    """
    for name in OUTPUTS:
        low, high = ranges.get(name, (0.0, 1.0))
        if not (low >= -SLACK and high <= 1 + SLACK):
            raise EdgeError(
                f"{name} takes values from {low:.4g} to {high:.4g} {where}, expected 0..1",
                "end the network with a Sigmoid, or scale and clip its output, before its export",
            )
