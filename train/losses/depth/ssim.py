"""Structural similarity (Wang et al. 2004)."""

from __future__ import annotations

from typing import cast

import torch
from pytorch_msssim import ssim
from torch import Tensor

from edge.train.losses.registry import depth_loss


def as_channels(depth: Tensor, target: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Depth and target as [1, N, H, W], the target replaced by the prediction where it is unknown,
    so that those pixels have no gradient.

    SSIM treats each channel alone, so images may be channels: CPU kernels work on several channels
    at once and are much faster that way (docs/experiments.md).
    """
    target = torch.where(known > 0, target, depth.detach())
    return depth.transpose(0, 1), target.transpose(0, 1)


@depth_loss("ssim")
def ssim_loss(depth: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """1 - SSIM (11x11 Gaussian of sigma 1.5) of depth and target, both in 0..1."""
    return cast(Tensor, 1 - ssim(*as_channels(depth, target, known), data_range=1.0))
