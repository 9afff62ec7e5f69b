"""Networks whose BatchNorm is not the identity, as after training."""

from __future__ import annotations

import torch
from torch import nn


def shuffled(network: nn.Module, seed: int = 5) -> nn.Module:
    """Give every BatchNorm random statistics, weight and bias; the network is in evaluation."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.2)
    return network.eval()
