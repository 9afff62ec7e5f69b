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

from edge.train.networks.layers import conv
from edge.train.networks.variant import Outputs, Variant

STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 1),
)
"""EfficientNet-Lite0 (Tan & Le 2019) without its last blocks: kernel, stride, expansion, channels
and blocks of each stage, after 32 channels at 1/2."""
SKIPS = (1, 2, 4)
"""The stages whose results the decoder sees, at 1/4, 1/8 and 1/16; the last one is at 1/32."""
DECODED, FINEST = 48, 32
"""Channels of the decoder, and after its last layer at 1/4."""
STRIDE = 32
"""The divisor of the height and width of a pass."""
LARGE, SMALL = (192, 192), (160, 160)
"""Height and width that every image is resized to. One size of its own for every camera: at a size
that was not trained the depth is worse."""


class ScenePass(NamedTuple):
    """One pass of test-time augmentation.

    Attributes:
        size: (height, width) that the image is resized to; None for the image as it is.
        flip: Average with a pass of the mirrored image, in the same batch.
    """

    size: tuple[int, int] | None
    flip: bool


TEST_TIME_PASSES = (ScenePass(LARGE, flip=True), ScenePass(SMALL, flip=True))
"""Outside training the depth is the mean of these, at every image size: a network exported at one
size is then the same network as one exported at another size and resized."""


def normalised(convolution: nn.Conv2d, *, bent: bool = True) -> nn.Sequential:
    """Convolution, BatchNorm (folded into it at export) and, if `bent`, ReLU6."""
    norm = nn.BatchNorm2d(convolution.out_channels)
    return nn.Sequential(convolution, norm, *([nn.ReLU6()] if bent else []))


def pointwise(inputs: int, outputs: int, *, bent: bool = True) -> nn.Sequential:
    """1x1 convolution as in `normalised`."""
    return normalised(nn.Conv2d(inputs, outputs, 1, bias=False), bent=bent)


class Depthwise(nn.Conv2d):
    """Depthwise convolution, in float32 on a CPU: its gradient takes two to five times as long in
    bfloat16."""

    def __init__(self, width: int, kernel: int, stride: int) -> None:
        super().__init__(width, width, kernel, stride, kernel // 2, groups=width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or x.dtype == torch.float32:
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            wide: Tensor = super().forward(x.float())
        return wide.to(x.dtype)


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution, projection (Sandler et al. 2018)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.adds = stride == 1 and inputs == outputs
        self.expand = pointwise(inputs, wide) if expansion > 1 else nn.Identity()
        self.depthwise = normalised(Depthwise(wide, kernel, stride))
        self.project = pointwise(wide, outputs, bent=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.adds else y


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

    An encoder that may start from weights of ImageNet (train/imagenet.py) and a small
    decoder up to 1/4 of the resolution: depth is smooth, and the mask gives its edges.
    Outside training it averages TEST_TIME_PASSES, whose errors differ; it runs once per scene, so
    the passes cost no frame anything. Training makes a single pass, of the image as it is; at SMALL
    if a side is no multiple of STRIDE or no more, or if the weights are frozen (`keep`).
    """

    def __init__(self) -> None:
        super().__init__()
        self.kept = False
        self._last: tuple[Tensor, Tensor] | None = None
        inputs = 32
        self.stem = normalised(nn.Conv2d(3, inputs, 3, 2, 1, bias=False))
        stages = []
        for kernel, stride, expansion, outputs, count in STAGES:
            blocks = []
            for number in range(count):
                blocks.append(
                    InvertedResidual(inputs, outputs, kernel, 1 if number else stride, expansion)
                )
                inputs = outputs
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)
        self.deepest = pointwise(inputs, DECODED)
        # Depth is relative to the whole image, so every place gets the mean of all.
        self.whole = nn.Conv2d(inputs, DECODED, 1)
        self.lateral = nn.ModuleList(pointwise(STAGES[i][3], DECODED) for i in reversed(SKIPS))
        self.refine = nn.ModuleList(
            [Residual(DECODED), conv(DECODED, DECODED), conv(DECODED, FINEST)]
        )
        self.head = nn.Conv2d(FINEST, 1, 3, 1, 1)

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
        # BatchNorm needs more than one place at 1/32.
        if not all(side % STRIDE == 0 and side > STRIDE for side in image.shape[2:]):
            return resized_pass(image, SMALL, self.single_pass)
        return self.single_pass(image)

    def _once(self, image: Tensor) -> Tensor:
        """One pass for all networks that share this one (`share_scene`) and see the same images."""
        if self._last is None or self._last[0] is not image:
            self._last = image, resized_pass(image, SMALL, self.single_pass)
        return self._last[1]

    def test_time_augmented(self, image: Tensor) -> Tensor:
        """The mean of all passes."""
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
        """One pass at the image's own size, sides of which are multiples of 32."""
        x = self.stem(image)
        skips = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in SKIPS:
                skips.append(x)
        x = F.relu(self.deepest(x) + self.whole(x.mean((2, 3), keepdim=True)))
        for lateral, refine, skip in zip(self.lateral, self.refine, reversed(skips), strict=True):
            x = refine(doubled(x) + lateral(skip))
        depth = torch.sigmoid(self.head(x))
        return F.interpolate(depth, scale_factor=4.0, mode="bilinear", align_corners=False)


def doubled(x: Tensor) -> Tensor:
    """Twice the height and width, bilinear."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


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
        if ours.keys() == theirs.keys() and all(torch.equal(ours[n], theirs[n]) for n in ours):
            network.scene_depth = first


def kept_scenes(network: nn.Module) -> list[SceneDepth]:
    """The frozen scene depths in a network."""
    return [part for part in network.modules() if isinstance(part, SceneDepth) and part.kept]
