"""Binary cross-entropy."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from edge.train.losses.registry import mask_loss, mean_over_images


@mask_loss("bce")
def bce(logits: Tensor, mask: Tensor, counts: Tensor) -> Tensor:
    """Binary cross-entropy weighted with `counts`."""
    loss = F.binary_cross_entropy_with_logits(logits, mask, reduction="none")
    return mean_over_images(loss, counts)
