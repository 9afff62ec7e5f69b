"""Layers of our own networks."""

from __future__ import annotations

from torch import nn


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3x3 convolution, BatchNorm (folded into it at export), ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


def upsample(inputs: int, outputs: int) -> nn.Sequential:
    """ConvTranspose 2x2, stride 2: twice the height and width."""
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 2, 2, bias=False), nn.BatchNorm2d(outputs)
    )
