"""Soft Dice."""

from __future__ import annotations

import torch
from torch import Tensor

from edge.train.losses.registry import mask_loss


@mask_loss("dice")
def soft_dice(logits: Tensor, mask: Tensor, counts: Tensor, smooth: float = 1.0) -> Tensor:
    """1 - soft Dice of each image, averaged (V-Net, Milletari et al. 2016, with linear sums).

    `smooth` (pixels) makes an empty mask that is predicted empty perfect.
    """
    predicted = torch.sigmoid(logits) * counts
    target = mask * counts
    intersection = (predicted * target).sum((1, 2, 3))
    total = predicted.sum((1, 2, 3)) + target.sum((1, 2, 3))
    return (1 - (2 * intersection + smooth) / (total + smooth)).mean()
