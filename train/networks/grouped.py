"""The seed's grouped-convolution network: full resolution from end to end, no transposed one.

3,769,664 parameters with one output. Its code is not public: this arrangement reproduces the
parameters and the memory that the seed's summary printed.
"""

from __future__ import annotations

from torch import nn

from edge.train.networks.variant import Stacked, Variant, channels


def conv(inputs: int, outputs: int, kernel: int, groups: int = 1) -> nn.Sequential:
    """Convolution without bias, BatchNorm, ReLU; height and width stay."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


def block(groups: int) -> nn.Sequential:
    """Three 3x3 convolutions that widen to 256 channels, and a 1x1 back to 32."""
    return nn.Sequential(
        conv(32, 64, 3, groups),
        conv(64, 128, 3, groups),
        conv(128, 256, 3, groups),
        conv(256, 32, 1),
    )


def grouped(variant: Variant) -> nn.Module:
    """Create the network: ten blocks with 3x3 max pooling between them. `bg` and frame are separate
    groups up to the end of the first block; the frame alone needs one group."""
    inputs, outputs = channels(variant)
    groups = 2 if variant.sees_bg else 1
    layers: list[nn.Module] = [conv(inputs, 32, 3, groups), block(groups)]
    for _ in range(9):
        layers += [nn.MaxPool2d(3, 1, 1), block(1)]
    layers.append(nn.Conv2d(32, outputs, 1, bias=False))
    return Stacked(nn.Sequential(*layers), variant, stride=1, head=str(len(layers) - 1))
