"""Mean absolute error."""

from __future__ import annotations

from torch import Tensor

from edge.train.losses.registry import depth_loss, mean_over_images


@depth_loss("l1")
def l1(depth: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Mean absolute error over the known pixels, in the units of the target."""
    return mean_over_images((depth - target).abs(), known)
