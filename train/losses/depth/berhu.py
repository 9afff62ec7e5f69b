"""Reverse Huber."""

from __future__ import annotations

import torch
from torch import Tensor

from edge.train.losses.registry import depth_loss, mean_over_images


@depth_loss("berhu")
def berhu(depth: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Reverse Huber over the known pixels: L1 up to a fifth of the image's largest error, quadratic
    above (Laina et al. 2016, eq. 2 and 3, there with the largest error of the batch)."""
    error = (depth - target).abs() * known
    limit = (0.2 * error.detach().amax((1, 2, 3), keepdim=True)).clamp(min=1e-6)
    loss = torch.where(error <= limit, error, (error**2 + limit**2) / (2 * limit))
    return mean_over_images(loss, known)
