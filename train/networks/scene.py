"""Depth of the scene from its background: run once per scene, so it may take its time.

`SceneDepthNetwork` is the same as a network of its own, trained on single images before the other
networks take it over (`edge train --scene`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge.train.networks.layers import conv, upsample
from edge.train.networks.variant import Outputs, Variant

WIDTHS = (32, 48, 96)
"""Channels of the scene's depth at 1/4, 1/8 and 1/16 of the resolution."""
SMALL = (160, 160)
"""Height and width of the second training size and of the second test-time pass."""


class ScenePass(NamedTuple):
    """One pass of test-time augmentation.

    Attributes:
        size: (height, width) that the image is resized to; None for the image as it is.
        flip: Average with a pass of the mirrored image, in the same batch.
    """

    size: tuple[int, int] | None
    flip: bool


TEST_TIME_PASSES = (ScenePass(None, flip=True), ScenePass(SMALL, flip=True))
"""Outside training the depth is the mean of these, at every image size: a network exported at one
size is then the same network as one exported at another size and resized."""


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


class SceneDepth(nn.Module):
    """Inverse depth of the scene, float [N, 1, H, W] in 0..1, from float [N, 3, H, W] in 0..1.

    It works at 1/4 to 1/16 of the resolution: depth is smooth, and the mask gives its edges.
    Outside training it averages TEST_TIME_PASSES, whose errors differ; it runs once per scene, so
    the passes cost no frame anything. Training makes a single pass: half of a batch as it is, the
    other half at SMALL if the images are larger, because the depth is worse at a size that was not
    trained. A frozen one (`keep`) always trains with a single pass of the image as it is.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kept = False
        self._last: tuple[Tensor, Tensor] | None = None
        a, b, c = WIDTHS
        self.quarter = nn.Sequential(conv(3, a // 2, 2), conv(a // 2, a, 2))
        self.eighth = nn.Sequential(conv(a, b, 2), Residual(b))
        self.sixteenth = conv(b, c, 2)
        self.deep = nn.ModuleList(Residual(c) for _ in range(2))
        # Depth is relative to the whole image, so every place gets the mean of all.
        self.whole = nn.ModuleList(nn.Conv2d(c, c, 1) for _ in self.deep)
        self.up_eighth = upsample(c, b)
        self.refine_eighth = conv(b, b)
        self.up_quarter = upsample(b, a)
        self.refine_quarter = conv(a, a)
        self.head = nn.Conv2d(a, 1, 3, 1, 1)

    def keep(self) -> None:
        """Freeze weights and BatchNorm statistics in training."""
        self.kept = True
        self.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> SceneDepth:
        super().train(mode)
        if self.kept:
            for part in self.children():
                part.eval()
        return self

    def forward(self, image: Tensor) -> Tensor:
        if not self.training:
            return self.test_time_augmented(image)
        if self.kept:
            return self._once(image)
        half = len(image) // 2
        if not half or min(image.shape[2:]) <= SMALL[0]:
            return self.single_pass(image)
        # In this order: the order decides BatchNorm's running statistics.
        depth = self.single_pass(image[:half])
        return torch.cat([depth, resized_pass(image[half:], SMALL, self.single_pass)])

    def _once(self, image: Tensor) -> Tensor:
        """One pass for all networks that share this one (`share_scene`) and see the same images."""
        if self._last is None or self._last[0] is not image:
            self._last = image, self.single_pass(image)
        return self._last[1]

    def test_time_augmented(self, image: Tensor) -> Tensor:
        """The mean of TEST_TIME_PASSES."""
        depths = []
        for size, flip in TEST_TIME_PASSES:
            run = self.with_flip if flip else self.single_pass
            depths.append(run(image) if size is None else resized_pass(image, size, run))
        total = depths[0]
        for depth in depths[1:]:
            total = total + depth
        return total / len(depths)

    def with_flip(self, image: Tensor) -> Tensor:
        """The mean of a pass of the image and one of its mirror image, in one batch."""
        n = image.shape[0]
        depth = self.single_pass(torch.cat([image, image.flip(3)]))
        return (depth[:n] + depth[n:].flip(3)) / 2

    def single_pass(self, image: Tensor) -> Tensor:
        """One pass at the image's own size."""
        quarter = self.quarter(image)
        eighth = self.eighth(quarter)
        x = self.sixteenth(eighth)
        for whole, residual in zip(self.whole, self.deep, strict=True):
            x = residual(x + whole(x.mean((2, 3), keepdim=True)))
        x = self.refine_eighth(F.relu(self.up_eighth(x) + eighth))
        x = self.refine_quarter(F.relu(self.up_quarter(x) + quarter))
        depth = torch.sigmoid(self.head(x))
        return F.interpolate(depth, scale_factor=4.0, mode="bilinear", align_corners=False)


def resized_pass(image: Tensor, size: tuple[int, int], run: Callable[[Tensor], Tensor]) -> Tensor:
    """Run a pass on the image resized to (height, width), and resize its depth back."""
    small = F.interpolate(image, size, mode="bilinear", align_corners=False)
    return F.interpolate(run(small), image.shape[2:], mode="bilinear", align_corners=False)


class SceneDepthNetwork(nn.Module):
    """Network that gives the depth of one image, `fg_bg`, and no mask."""

    stride = 16
    only = None
    heads = ("scene_depth.head",)
    variant = Variant("fg_bg", "depth")

    def __init__(self) -> None:
        super().__init__()
        self.scene_depth = SceneDepth()

    def forward(self, bg: Tensor, fg_bg: Tensor, spread: Tensor | None = None) -> Outputs:
        return None, self.scene_depth(fg_bg)


def share_scene(networks: Sequence[nn.Module]) -> None:
    """Let networks whose frozen scene depths are equal share one, which runs once for all."""
    first, *others = (network.scene_depth for network in networks)
    for network, scene in zip(networks[1:], others, strict=True):
        ours, theirs = first.state_dict(), scene.state_dict()  # type: ignore[union-attr, operator]
        if all(torch.equal(ours[name], theirs[name]) for name in ours):
            network.scene_depth = first


def kept_scenes(network: nn.Module) -> list[SceneDepth]:
    """The frozen scene depths in a network."""
    return [part for part in network.modules() if isinstance(part, SceneDepth) and part.kept]
