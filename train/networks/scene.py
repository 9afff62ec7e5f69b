"""The depth of an empty scene from its picture: found once per scene, so it may take its time.

`Scene` is the same as a network of its own, which is trained on single pictures before the others
take it over (`edge train --scene`).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge.train.networks.layers import conv, upsample
from edge.train.networks.variant import Outputs, Variant


class Residual(nn.Module):
    """Two 3x3 convolutions beside the identity (He et al. 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = conv(width, width)
        self.second = nn.Sequential(
            nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(self.first(x)))


WIDTHS = (32, 48, 96)
"""Channels of the scene's depth at 1/4, 1/8 and 1/16 of the resolution."""


class SceneDepth(nn.Module):
    """Inverse depth of the empty scene, [N, 1, H, W] in 0..1, from float [N, 3, H, W] in 0..1.

    It works at 1/4 to 1/16 of the resolution: depth is smooth, and its edges come from the mask.
    Outside training it looks at the scene four times, as it is and smaller, each mirrored as well,
    and gives the mean: errors of one look are not those of another, and a scene has the time.
    In training it looks once, at one half of a batch as it is and at the other smaller: at a size
    that it never learned at it is worse. One that is kept looks once, as it is.
    """

    smaller = (160, 160)
    """Height and width of the second look; a picture that is no larger has none."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = False
        a, b, c = WIDTHS
        self.quarter = nn.Sequential(conv(3, a // 2, 2), conv(a // 2, a, 2))
        self.eighth = nn.Sequential(conv(a, b, 2), Residual(b))
        self.sixteenth = conv(b, c, 2)
        self.deep = nn.ModuleList(Residual(c) for _ in range(2))
        # Depth is relative to the whole picture, so every place hears of its mean.
        self.whole = nn.ModuleList(nn.Conv2d(c, c, 1) for _ in self.deep)
        self.up_eighth = upsample(c, b)
        self.refine_eighth = conv(b, b)
        self.up_quarter = upsample(b, a)
        self.refine_quarter = conv(a, a)
        self.head = nn.Conv2d(a, 1, 3, 1, 1)

    def keep(self) -> None:
        """Stay as it is in training, its BatchNorm too."""
        self.kept = True
        self.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> SceneDepth:
        super().train(mode)
        if self.kept:
            for part in self.children():
                part.eval()
        return self

    def forward(self, picture: Tensor) -> Tensor:
        two_sizes = min(picture.shape[2:]) > self.smaller[0]
        if not self.training:
            depth = self._both_ways(picture)
            return (depth + self._smaller(picture, self._both_ways)) / 2 if two_sizes else depth
        half = len(picture) // 2
        if self.kept or not (two_sizes and half):
            return self.look(picture)
        halves = self.look(picture[:half]), self._smaller(picture[half:], self.look)
        return torch.cat(halves)

    def _smaller(self, picture: Tensor, look: Callable[[Tensor], Tensor]) -> Tensor:
        """What a look at the smaller picture finds, at the size of the picture."""
        small = F.interpolate(picture, self.smaller, mode="bilinear", align_corners=False)
        found = look(small)
        return F.interpolate(found, picture.shape[2:], mode="bilinear", align_corners=False)

    def _both_ways(self, picture: Tensor) -> Tensor:
        """The mean of a look at the scene and one at its mirror image, in one batch."""
        n = picture.shape[0]
        seen = self.look(torch.cat([picture, picture.flip(3)]))
        return (seen[:n] + seen[n:].flip(3)) / 2

    def look(self, picture: Tensor) -> Tensor:
        """One look, at any size."""
        quarter = self.quarter(picture)
        eighth = self.eighth(quarter)
        x = self.sixteenth(eighth)
        for whole, residual in zip(self.whole, self.deep, strict=True):
            x = residual(x + whole(x.mean((2, 3), keepdim=True)))
        x = self.refine_eighth(F.relu(self.up_eighth(x) + eighth))
        x = self.refine_quarter(F.relu(self.up_quarter(x) + quarter))
        depth = torch.sigmoid(self.head(x))
        return F.interpolate(depth, scale_factor=4.0, mode="bilinear", align_corners=False)


class SceneDepthNetwork(nn.Module):
    """The depth of one picture, `fg_bg`, and nothing else."""

    stride = 16
    only = None
    heads = ("scene_depth.head",)
    variant = Variant("fg_bg", "depth")

    def __init__(self) -> None:
        super().__init__()
        self.scene_depth = SceneDepth()

    def forward(self, bg: Tensor, fg_bg: Tensor) -> Outputs:
        return None, self.scene_depth(fg_bg)


def kept_scenes(network: nn.Module) -> list[SceneDepth]:
    """The depths of the scene in a network that stay as they are in training."""
    return [part for part in network.modules() if isinstance(part, SceneDepth) and part.kept]
