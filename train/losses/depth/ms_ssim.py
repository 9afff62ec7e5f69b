"""Multi-scale structural similarity (Wang et al. 2003)."""

from __future__ import annotations

from typing import cast

from pytorch_msssim import ms_ssim
from torch import Tensor

from edge.train.losses.depth.ssim import as_channels
from edge.train.losses.registry import depth_loss

MIN_SIDE = 161
"""The default five scales need images of at least this height and width."""


@depth_loss("ms_ssim", MIN_SIDE)
def ms_ssim_loss(depth: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """1 - MS-SSIM of depth and target, both in 0..1.

    Raises:
        ValueError: The images are smaller than MIN_SIDE.
    """
    if min(depth.shape[2:]) < MIN_SIDE:
        raise ValueError(
            f"MS-SSIM needs images of at least {MIN_SIDE} pixels a side,"
            f" found {depth.shape[3]}x{depth.shape[2]}; `ssim` takes smaller ones"
        )
    return cast(Tensor, 1 - ms_ssim(*as_channels(depth, target, known), data_range=1.0))
