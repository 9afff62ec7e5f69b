"""Error of distances as a ratio, which AbsRel and delta1 measure."""

from __future__ import annotations

from torch import Tensor

from edge.accuracy import FARTHEST
from edge.train.losses.depth.ssi import align
from edge.train.losses.registry import depth_loss, mean_over_images

STRETCHED = 0.02
"""Smallest target of an image, as a share of its largest, below which its ratios mean nothing: a
label that was stretched to 0..1 has lost its shift."""


@depth_loss("ratio")
def log_ratio(depth: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Mean absolute logarithm of the ratio of distances after the best scale and shift of each
    image. Images with a target near 0, sky or a teacher's label, add 0."""
    seen = known > 0
    nearest = target.masked_fill(~seen, 0).amax((2, 3), keepdim=True)
    farthest = target.masked_fill(~seen, float("inf")).amin((2, 3), keepdim=True)
    tells = (farthest > STRETCHED * nearest) & (nearest > 0)
    least = (FARTHEST * nearest).clamp(min=1e-6)
    aligned = align(depth, target, known).maximum(least)
    error = (aligned / target.maximum(least)).log().abs()
    return mean_over_images(error, known * tells)
