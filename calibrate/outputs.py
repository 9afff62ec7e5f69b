"""Checks that a network's outputs stay within 0..1.

The contract finds outputs that are unbounded by the graph alone (edge.graph.contract); here the
graph runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edge.builder.plan import Plan
from edge.calibrate.evaluator import exact
from edge.errors import AccuracyGateMissed, EdgeError
from edge.graph.contract import OUTPUTS
from edge.graph.fold import Split
from edge.samples.sample import Sample, resize_sample

WRONG = 0.1
"""Mean change of an output by int8 that is no loss of accuracy but another result: int8 of the
bundled networks changes them by less than 0.002."""
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
    first, second, third = np.random.default_rng(0).integers(0, 256, (3, 1, *size, 3), np.uint8)
    black, white = np.zeros_like(first), np.full_like(first, 255)
    frame = exact(split.frame)
    outputs = [value.name for value in split.frame.graph.output]
    background = exact(split.background) if split.background else None
    for bg, fg_bg, spread in (
        (first, second, third),
        (black, white, black),
        (white, black, black),
        (white, white, white),
    ):
        feeds: dict[str, Any] = {"bg": bg, "fg_bg": fg_bg, "spread": spread}
        if background is not None:
            feeds |= dict(zip(split.scene, background(split.scene, feeds), strict=True))
        planes = frame(outputs, feeds)
        extremes = {
            name: (float(plane.min()), float(plane.max()))
            for name, plane in zip(outputs, planes, strict=True)
        }
        check_ranges(extremes, "on images of noise, black and white")


def check_change(exact_plan: Plan, int8_plan: Plan, samples: Sequence[Sample]) -> None:
    """Compare an int8 plan with the float one on samples, in exact arithmetic.

    Raises:
        AccuracyGateMissed: An output is off by more than WRONG, on average over its pixels.
    """
    names = [value.name for value in exact_plan.split.frame.graph.output]
    planes: list[list[Any]] = []
    if not samples:  # none of those could be read, and the ranges came from a file
        return
    for split, frame in (
        (exact_plan.split, exact_plan.split.frame),
        (int8_plan.split, int8_plan.frame),
    ):
        run = exact(frame)
        background = exact(split.background) if split.background else None
        planes.append([])
        for sample in samples:
            small = resize_sample(sample, *exact_plan.imgsz)
            feeds: dict[str, Any] = small.inputs()
            if background is not None:
                feeds |= dict(zip(split.scene, background(split.scene, feeds), strict=True))
            planes[-1].append(run(names, feeds))
    for name, true, found in zip(names, zip(*planes[0], strict=True), zip(*planes[1], strict=True),
                                 strict=True):  # fmt: skip
        change = float(np.mean(np.abs(np.subtract(true, found, dtype=np.float64))))
        if not change <= WRONG:
            raise AccuracyGateMissed(
                f"int8 changes {name} by {change:.2f} on average over {len(samples)} samples of the"
                f" calibration, allowed are {WRONG}: some layer cannot be computed in 8 bits",
                "--max-drop 0.01 finds it and leaves it in float; --precision fp16 needs none",
            )


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
