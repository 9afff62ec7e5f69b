"""The seed's modified Deep Residual U-Net (Zhang et al. 2018, without its bridge).

1,765,421 parameters with one output, 1,765,454 with two. The seed abandoned it for 43 GB of
activations, an error of its summary tool. Recomputing the blocks in the backward pass (Chen et al.
2016) halves the activations that it does keep, with the same results.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from edge.train.networks.variant import Stacked, Variant, channels


class Block(nn.Module):
    """Twice BatchNorm, ReLU and 3x3 convolution, beside a 1x1 convolution with BatchNorm."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first_norm = nn.BatchNorm2d(inputs)
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        )
        self.recompute = False

    def compute(self, x: Tensor) -> Tensor:
        y = self.first(torch.relu(self.first_norm(x)))
        y = self.second(torch.relu(self.second_norm(y)))
        return cast(Tensor, y + self.shortcut(x))

    def forward(self, x: Tensor) -> Tensor:
        if self.recompute and self.training and torch.is_grad_enabled():
            return cast(Tensor, checkpoint(self.compute, x, use_reentrant=False))
        return self.compute(x)


class ResUNetBody(nn.Module):
    """Four blocks down, four up, joined by concatenation; bilinear upsampling."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            Block(a, b) for a, b in ((inputs, 32), (32, 64), (64, 128), (128, 128))
        )
        self.up = nn.ModuleList(
            Block(a, b) for a, b in ((256, 128), (256, 128), (192, 64), (96, 32))
        )
        self.pool = nn.MaxPool2d(2)
        self.enlarge = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.last = nn.Conv2d(32, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for block in self.down:
            x = block(x)
            skips.append(x)
            x = self.pool(x)
        for block, skip in zip(self.up, reversed(skips), strict=True):
            x = block(torch.cat([self.enlarge(x), skip], 1))
        return self.last(x)  # type: ignore[no-any-return]


def save_memory(network: nn.Module) -> None:
    """Recompute the blocks of a network in the backward pass.

    BatchNorm then sees each batch twice, so its momentum is set such that two updates equal one.
    """
    for block in network.modules():
        if isinstance(block, Block) and not block.recompute:
            block.recompute = True
            for norm in block.modules():
                if isinstance(norm, nn.BatchNorm2d):
                    assert norm.momentum is not None
                    norm.momentum = 1 - (1 - norm.momentum) ** 0.5


def resunet(variant: Variant) -> nn.Module:
    """Create the network with recomputed blocks."""
    network = Stacked(ResUNetBody(*channels(variant)), variant, stride=16, head="last")
    save_memory(network)
    return network
