"""The tables of losses, and how a loss registers itself.

A loss is one file in losses/mask/ or losses/depth/. It is the mean over images, 0 is perfect. Every
image has the same weight, however many of its pixels count: the mean over the halves of a batch on
two processes is then the mean over the whole batch on one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

LossFunction = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Loss:
    """A loss of a table.

    Attributes:
        function: Of float [N, 1, H, W] each: logits, mask and counts, or depth, target and known.
        min_side: Smallest height and width in pixels that it takes.
    """

    function: LossFunction
    min_side: int = 1

    def __call__(self, prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        return self.function(prediction, target, weight)


MASK: dict[str, Loss] = {}
"""Losses of logits against mask (0..1) weighted with `counts`."""
DEPTH: dict[str, Loss] = {}
"""Losses of depth against target (0..1) over the pixels where `known` is 1. There is no Dice: a
constant depth scores better with it than a good one."""


def mask_loss(name: str) -> Callable[[LossFunction], LossFunction]:
    """Register the decorated function in MASK."""

    def register(function: LossFunction) -> LossFunction:
        MASK[name] = Loss(function)
        return function

    return register


def depth_loss(name: str, min_side: int = 1) -> Callable[[LossFunction], LossFunction]:
    """Register the decorated function in DEPTH.

    Args:
        name: Its name on the command line.
        min_side: Smallest height and width in pixels that it takes.
    """

    def register(function: LossFunction) -> LossFunction:
        DEPTH[name] = Loss(function, min_side)
        return function

    return register


def mean_over_images(values: Tensor, weight: Tensor) -> Tensor:
    """Mean over the weighted pixels of each image, then over the images.

    Args:
        values: float [N, 1, H, W].
        weight: float [N, 1, H, W]; an image without weight adds 0.
    """
    per_image = (values * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp(min=1)
    return per_image.mean()
