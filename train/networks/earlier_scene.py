"""The depth of the scene in networks that were trained before it had an encoder of its own.

Checkpoints and exported files hold weights of one or the other, which their names tell.
"""

from __future__ import annotations

from collections.abc import Container

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge.train.networks.layers import conv, upsample
from edge.train.networks.scene import SMALL, Residual, SceneDepth, ScenePass, resized_pass

WIDTHS = (32, 48, 96)
"""Channels at 1/4, 1/8 and 1/16 of the resolution."""
FIRST = "scene_depth.quarter.0.0.weight"
"""Weights that no other network has."""


class EarlierSceneDepth(SceneDepth):
    """Inverse depth of the scene by residual blocks at 1/16; in and out as of SceneDepth.

    Its passes are the image as it is and one of SMALL, each also mirrored. Training makes a single
    pass: half of a batch as it is, the other half at SMALL if the images are larger. A frozen one
    (`keep`) always trains with a single pass of the image as it is.
    """

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.kept = False
        a, b, c = WIDTHS
        self.quarter = nn.Sequential(conv(3, a // 2, 2), conv(a // 2, a, 2))
        self.eighth = nn.Sequential(conv(a, b, 2), Residual(b))
        self.sixteenth = conv(b, c, 2)
        self.deep = nn.ModuleList(Residual(c) for _ in range(2))
        self.whole: nn.ModuleList = nn.ModuleList(  # type: ignore[assignment]
            nn.Conv2d(c, c, 1) for _ in self.deep
        )
        self.up_eighth = upsample(c, b)
        self.refine_eighth = conv(b, b)
        self.up_quarter = upsample(b, a)
        self.refine_quarter = conv(a, a)
        self.head = nn.Conv2d(a, 1, 3, 1, 1)

    def passes(self) -> tuple[ScenePass, ...]:
        return (ScenePass(None, flip=True), ScenePass(SMALL, flip=True))

    def training_pass(self, image: Tensor) -> Tensor:
        half = len(image) // 2
        if self.kept or not half or min(image.shape[2:]) <= SMALL[0]:
            return self.single_pass(image)
        # In this order: the order decides BatchNorm's running statistics.
        depth = self.single_pass(image[:half])
        return torch.cat([depth, resized_pass(image[half:], SMALL, self.single_pass)])

    def single_pass(self, image: Tensor) -> Tensor:
        quarter = self.quarter(image)
        eighth = self.eighth(quarter)
        x = self.sixteenth(eighth)
        for whole, residual in zip(self.whole, self.deep, strict=True):
            x = residual(x + whole(x.mean((2, 3), keepdim=True)))
        x = self.refine_eighth(F.relu(self.up_eighth(x) + eighth))
        x = self.refine_quarter(F.relu(self.up_quarter(x) + quarter))
        depth = torch.sigmoid(self.head(x))
        return F.interpolate(depth, scale_factor=4.0, mode="bilinear", align_corners=False)


def fit_scene(network: nn.Module, weights: Container[str]) -> nn.Module:
    """Give a network the scene depth that its weights are of, by their names; returns it."""
    if FIRST in weights:
        network.scene_depth = EarlierSceneDepth()
    return network
