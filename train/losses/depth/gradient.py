"""Error of the gradients at several scales (MegaDepth, Li & Snavely 2018; MiDaS)."""

from __future__ import annotations

import torch
from torch import Tensor

from edge.train.losses.depth.ssi import align
from edge.train.losses.registry import depth_loss, mean_over_images

SCALES = 4
"""Every pixel, every second, every fourth and every eighth."""


@depth_loss("gradient", 2 ** (SCALES - 1) + 1)
def gradient_matching(depth: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Mean absolute gradient of what is left after the best scale and shift of each image, summed
    over SCALES: edges of the depth where the target has them, and nowhere else."""
    error = (align(depth, target, known) - target) * known
    total = error.new_zeros(())
    for scale in range(SCALES):
        step = 2**scale
        e, k = error[..., ::step, ::step], known[..., ::step, ::step]
        for axis in (2, 3):
            both = k.narrow(axis, 1, k.shape[axis] - 1) * k.narrow(axis, 0, k.shape[axis] - 1)
            total = total + mean_over_images(torch.diff(e, dim=axis).abs(), both)
    return total / 2
