"""Scale-and-shift-invariant error (MiDaS, Ranftl et al. 2020)."""

from __future__ import annotations

from torch import Tensor

from edge.train.losses.registry import depth_loss, mean_over_images


def align(depth: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Scale and shift `depth` to fit `target` by least squares over the known pixels.

    One scale and shift per image (MiDaS, eq. 3). A scale never becomes negative: that would take
    far for near.

    Args:
        depth: float [N, 1, H, W].
        target: float [N, 1, H, W].
        known: float [N, 1, H, W], 1 where the target is known.
    """
    weight = known.sum((1, 2, 3), keepdim=True).clamp(min=1)
    mean_depth = (depth * known).sum((1, 2, 3), keepdim=True) / weight
    mean_target = (target * known).sum((1, 2, 3), keepdim=True) / weight
    a, b = (depth - mean_depth) * known, (target - mean_target) * known
    scale = (a * b).sum((1, 2, 3), keepdim=True) / (a * a).sum((1, 2, 3), keepdim=True).clamp(
        min=1e-3
    )
    return scale.clamp(min=0) * (depth - mean_depth) + mean_target


@depth_loss("ssi")
def scale_and_shift_invariant(depth: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Mean absolute error after the best scale and shift of each image (see `align`)."""
    return mean_over_images((align(depth, target, known) - target).abs(), known)
