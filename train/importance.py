"""Importance of channels for pruning, by name. An importance is one function of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch_pruning as tp
from torch import Tensor, nn

from edge.train.data.mix import Batch
from edge.train.learner import loss_terms
from edge.train.losses import default_depth_loss
from edge.train.networks import network_inputs

Scorer = Callable[[Any], Tensor | None]
"""Importance of each channel of a Torch-Pruning group, float [channels]; None where it has none."""
Importance = Callable[[nn.Module, Iterable[Batch]], Scorer]
"""Prepares a scorer of a network from batches; it may change the network's gradients."""


def taylor(network: nn.Module, batches: Iterable[Batch]) -> Scorer:
    """First-order change of the loss when a channel is set to zero (Molchanov et al. 2019), summed
    over all layers that the channel is part of."""
    for batch in batches:
        logits, depth = network(*network_inputs(batch))
        depth_loss = default_depth_loss(batch["bg"].shape[1])
        terms = loss_terms(logits, depth, batch, depth_loss=depth_loss)
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
    scorer: Scorer = tp.importance.GroupTaylorImportance(group_reduction="sum", normalizer=None)
    return scorer


IMPORTANCES: dict[str, Importance] = {"taylor": taylor}
