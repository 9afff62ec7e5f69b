"""Losses of the mask and the depth. Every one is a mean over pictures, 0 is perfect.

Each picture counts the same, however many of its pixels do: so halves of a batch on two processes
have the mean that the whole batch has on one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from pytorch_msssim import ms_ssim, ssim
from torch import Tensor
from torch.nn import functional as F

MS_SSIM_SIDE = 161
"""The default five scales of MS-SSIM need pictures of at least this height and width."""


def _mean(values: Tensor, counts: Tensor) -> Tensor:
    """Mean of `values` over the pixels that count in each picture, then over the pictures; both
    float [N, 1, H, W]. A picture in which none counts adds 0."""
    each = (values * counts).sum((1, 2, 3)) / counts.sum((1, 2, 3)).clamp(min=1)
    return each.mean()


def bce(logits: Tensor, mask: Tensor, counts: Tensor) -> Tensor:
    """Binary cross-entropy over the pixels that count; all float [N, 1, H, W], mask in 0..1."""
    loss = F.binary_cross_entropy_with_logits(logits, mask, reduction="none")
    return _mean(loss, counts)


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
    return _mean((aligned(depth, target, known) - target).abs(), known)


def absolute(depth: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Mean absolute error (L1) over the known pixels; depth in the units of the target."""
    return _mean((depth - target).abs(), known)


def berhu(depth: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Reverse Huber over the known pixels: L1 up to a fifth of the picture's largest error,
    quadratic above (Laina et al. 2016, eq. 2 and 3, there with the largest of the batch)."""
    error = (depth - target).abs() * known
    turn = (0.2 * error.detach().amax((1, 2, 3), keepdim=True)).clamp(min=1e-6)
    return _mean(torch.where(error <= turn, error, (error**2 + turn**2) / (2 * turn)), known)


def _for_ssim(depth: Tensor, target: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Both as [1, N, H, W], the target with the prediction's own value where it is unknown: that
    pulls nowhere.

    SSIM looks at each channel alone, so the pictures may as well be channels: a CPU, whose
    kernels work on several channels at once, is much quicker so (docs/performance.md).
    """
    target = torch.where(known > 0, target, depth.detach())
    return depth.transpose(0, 1), target.transpose(0, 1)


def similarity(depth: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """1 - SSIM (Wang et al. 2004; 11x11 Gaussian of 1.5) of depth against target, both in 0..1."""
    return cast(Tensor, 1 - ssim(*_for_ssim(depth, target, known), data_range=1.0))


def structure(depth: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """1 - MS-SSIM (Wang et al. 2003) of depth against target, both in 0..1.

    Pictures smaller than MS_SSIM_SIDE are refused: five scales do not fit into them.
    """
    if min(depth.shape[2:]) < MS_SSIM_SIDE:
        raise ValueError(
            f"MS-SSIM needs pictures of at least {MS_SSIM_SIDE} pixels a side,"
            f" found {depth.shape[3]}x{depth.shape[2]}; `ssim` takes smaller ones"
        )
    return cast(Tensor, 1 - ms_ssim(*_for_ssim(depth, target, known), data_range=1.0))


Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
MASK: dict[str, Loss] = {"bce": bce, "dice": soft_dice}
"""Of logits, mask and counts."""
DEPTH: dict[str, Loss] = {
    "ssi": scale_and_shift_invariant,
    "ms_ssim": structure,
    "ssim": similarity,
    "l1": absolute,
    "berhu": berhu,
}
"""Of depth, target and known. There is no Dice: a constant depth scores better with it than a good
one."""


def named(text: str, table: dict[str, Loss]) -> tuple[str, ...]:
    """The losses of `bce+dice`; ValueError lists the known ones."""
    names = tuple(text.split("+"))
    if unknown := [name for name in names if name not in table]:
        raise ValueError(f"unknown loss {unknown[0]!r}; known, joined by +: {', '.join(table)}")
    return names


def usual_depth(side: int) -> str:
    """What depth is trained with unless it is said: MS-SSIM where its five scales fit."""
    return "ssi+ms_ssim" if side >= MS_SSIM_SIDE else "ssi+ssim"


def divergence(logits: Tensor, taught_logits: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the mask's probabilities from those of a network that teaches
    them (Hinton et al. 2015, at temperature 1); logits, both float [N, 1, H, W]."""
    taught = torch.sigmoid(taught_logits)
    cross = F.binary_cross_entropy_with_logits(logits, taught)
    return cross - F.binary_cross_entropy_with_logits(taught_logits, taught)
