"""Losses of the mask and the depth. Every one is a mean, 0 is perfect."""

from __future__ import annotations

from typing import cast

import torch
from pytorch_msssim import ms_ssim
from torch import Tensor
from torch.nn import functional as F

MS_SSIM_SIDE = 161
"""The default five scales of MS-SSIM need pictures of at least this height and width."""


def bce(logits: Tensor, mask: Tensor, counts: Tensor) -> Tensor:
    """Binary cross-entropy over the pixels that count; all float [N, 1, H, W], mask in 0..1."""
    loss = F.binary_cross_entropy_with_logits(logits, mask, reduction="none")
    return (loss * counts).sum() / counts.sum().clamp(min=1)


def soft_dice(logits: Tensor, mask: Tensor, counts: Tensor, smooth: float = 1.0) -> Tensor:
    """1 - soft Dice of each picture, averaged (V-Net, Milletari et al. 2016, with linear sums).

    `smooth` (pixels) makes an empty picture that is found empty perfect.
    """
    found = torch.sigmoid(logits) * counts
    true = mask * counts
    both = (found * true).sum((1, 2, 3))
    total = found.sum((1, 2, 3)) + true.sum((1, 2, 3))
    return (1 - (2 * both + smooth) / (total + smooth)).mean()


def aligned(depth: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """`depth` scaled and shifted to fit `target` by least squares over the known pixels.

    All float [N, 1, H, W], one scale and shift per picture (MiDaS, Ranftl et al. 2020, eq. 3).
    A scale never becomes negative: far would be taken for near.
    """
    weight = known.sum((1, 2, 3), keepdim=True).clamp(min=1)
    mean_depth = (depth * known).sum((1, 2, 3), keepdim=True) / weight
    mean_target = (target * known).sum((1, 2, 3), keepdim=True) / weight
    a, b = (depth - mean_depth) * known, (target - mean_target) * known
    scale = (a * b).sum((1, 2, 3), keepdim=True) / (a * a).sum((1, 2, 3), keepdim=True).clamp(
        min=1e-3
    )
    return scale.clamp(min=0) * (depth - mean_depth) + mean_target


def scale_and_shift_invariant(depth: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Mean absolute error after the best scale and shift of each picture (see `aligned`)."""
    error = (aligned(depth, target, known) - target).abs() * known
    return error.sum() / known.sum().clamp(min=1)


def structure(depth: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """1 - MS-SSIM (Wang et al. 2003) of depth against target, both in 0..1.

    Unknown pixels take the prediction's own value, so that they pull nowhere. Pictures smaller
    than MS_SSIM_SIDE are refused: five scales do not fit into them.
    """
    if min(depth.shape[2:]) < MS_SSIM_SIDE:
        raise ValueError(
            f"MS-SSIM needs pictures of at least {MS_SSIM_SIDE} pixels a side,"
            f" found {depth.shape[3]}x{depth.shape[2]}; train with --imgsz 176 or larger"
        )
    filled = torch.where(known > 0, target, depth.detach())
    return cast(Tensor, 1 - ms_ssim(depth, filled, data_range=1.0))


def distillation(
    logits: Tensor, depth: Tensor, taught_logits: Tensor, taught_depth: Tensor
) -> Tensor:
    """How far a network is from one that teaches it; all float [N, 1, H, W].

    Kullback-Leibler divergence of the mask's probabilities (Hinton et al. 2015, at temperature 1)
    plus the mean absolute difference of the depth.
    """
    taught = torch.sigmoid(taught_logits)
    cross = F.binary_cross_entropy_with_logits(logits, taught)
    entropy = F.binary_cross_entropy_with_logits(taught_logits, taught)
    return cross - entropy + F.l1_loss(depth, taught_depth)
