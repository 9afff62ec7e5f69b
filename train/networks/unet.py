"""The ConvTranspose U-Net: one encoder for both pictures, their difference at every level.

Everything that depends on the background alone is a constant of the scene, so a build runs it
once per scene and compiles the result into the frame's graph:
- the encoder's features of `bg` (the same weights see both pictures, so `abs(f - b)` is a
  difference of like with like);
- what the scene looks like at each place: beside an edge a difference may be a camera that shook,
  on a plain wall it is something new;
- the depth of the scene, from a network of its own (train/networks/scene.py).
What is left per frame is one small encoder and one decoder, which finds the mask and how deep the
*new* things are; the depth map is assembled from that and the scene's depth.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge.train.networks.layers import conv, upsample
from edge.train.networks.scene import SceneDepth, SceneDepthNetwork
from edge.train.networks.variant import Outputs, Variant


class Encoder(nn.Module):
    """Features at 1/2, 1/4, 1/8 and 1/16 of the picture's height and width."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            conv(inputs, outputs, stride=2)
            for inputs, outputs in zip((3, *widths), widths, strict=False)
        )

    def forward(self, picture: Tensor) -> list[Tensor]:
        features = []
        for level in self.levels:
            picture = level(picture)
            features.append(picture)
        return features


class Geometry(nn.Module):
    """The scene's depth as features at 1/16 and 1/8: a thing is as deep as the floor it touches."""

    def __init__(self, eighth: int, sixteenth: int) -> None:
        super().__init__()
        self.eighth = nn.Sequential(conv(1, 8), nn.Conv2d(8, eighth, 1))
        self.sixteenth = nn.Sequential(conv(1, 8), nn.Conv2d(8, sixteenth, 1))

    def forward(self, depth: Tensor) -> tuple[Tensor, Tensor]:
        small = F.avg_pool2d(depth, 8)
        return self.sixteenth(F.avg_pool2d(small, 2)), self.eighth(small)


class Texture(nn.Module):
    """What the scene looks like, as features at 1/4 and 1/8, from the encoder's at 1/2."""

    def __init__(self, half: int, quarter: int, eighth: int) -> None:
        super().__init__()
        self.seen = nn.Sequential(conv(half, 32, 2), conv(32, 32))
        self.quarter = nn.Conv2d(32, quarter, 1)
        self.eighth = nn.Sequential(conv(32, 32, 2), nn.Conv2d(32, eighth, 1))

    def forward(self, half: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.seen(half)
        return self.quarter(seen), self.eighth(seen)


def assembled(cells: Tensor) -> Tensor:
    """[N, 16, h, w] to [N, 1, 4 h, 4 w]: channel 4 i + j is row i, column j of its cell.

    After a 1x1 convolution it is what a ConvTranspose 4x4 of stride 4 gives, in the form that runs
    in int8 everywhere.
    """
    n, _, h, w = cells.shape
    split = cells.permute(0, 2, 3, 1).reshape(n, h, w, 4, 4)
    return split.permute(0, 1, 3, 2, 4).reshape(n, 1, 4 * h, 4 * w)


class UNet(nn.Module):
    """Mask and depth from an empty scene and a frame.

    variant: what it sees and gives. Without bg the features of the frame take the place of the
        differences, and the depth of everything is found at every frame.
    widths: channels of the frame's encoder at 1/2, 1/4, 1/8 and 1/16. CPU kernels work on 16
        channels at a time: 8 or 24 cost as much as 16 or 32.

    The decoder ends at 1/4, where the differences at 1/2 join it through a convolution of stride
    2; from there the head goes to full resolution in one step (docs/performance.md says what the
    layers above 1/4 used to cost).
    """

    stride = 16
    """Height and width of the pictures must be multiples of this."""
    only = None

    def __init__(
        self,
        widths: tuple[int, int, int, int],
        variant: Variant = Variant(),  # noqa: B008 (frozen)
    ) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth = widths
        self.variant = variant
        self.knows_scene = variant.sees_bg and variant.gives_depth
        self.encoder = Encoder(widths)
        if variant.sees_bg:
            self.texture = Texture(half, quarter, eighth)
        if self.knows_scene:
            self.scene_depth = SceneDepth()
            self.geometry = Geometry(eighth, sixteenth)
        self.bottom = nn.Sequential(conv(sixteenth, sixteenth), conv(sixteenth, sixteenth))
        self.up_eighth = upsample(sixteenth, eighth)
        self.refine_eighth = conv(eighth, eighth)
        self.up_quarter = upsample(eighth, quarter)
        self.detail = nn.Sequential(
            nn.Conv2d(half, quarter, 3, 2, 1, bias=False), nn.BatchNorm2d(quarter)
        )
        self.refine_quarter = conv(quarter, quarter)
        self.heads: tuple[str, ...] = ()
        if variant.gives_mask or self.knows_scene:
            self.mask = nn.Conv2d(quarter, 16, 1)
            self.heads += ("mask",)
        if variant.gives_depth:
            self.depth = nn.Conv2d(quarter, 4 if self.knows_scene else 16, 1)
            self.heads += ("depth",)
        if self.knows_scene:
            self.heads += ("scene_depth.head",)

    def take_scene(self, other: UNet | SceneDepthNetwork) -> None:
        """Find the scene's depth as `other` does, and leave that as it is in training."""
        self.scene_depth.load_state_dict(other.scene_depth.state_dict())
        self.scene_depth.keep()

    def forward(self, bg: Tensor, fg_bg: Tensor) -> Outputs:
        """Both pictures float [N, 3, H, W], BGR in 0..1.

        Returns the mask's logits and the depth (inverse, near is large, 0..1), both float
        [N, 1, H, W], or None for what the variant does not give.
        """
        features = self.encoder(fg_bg)
        if self.variant.sees_bg:
            empty = self.encoder(bg)
            features = [torch.abs(f - b) for f, b in zip(features, empty, strict=True)]
        half, quarter, eighth, sixteenth = features
        if self.variant.sees_bg:
            fine, context = self.texture(empty[0])
            if self.knows_scene:
                scene = self.scene_depth(bg)
                deep, floor = self.geometry(scene)
                sixteenth, context = sixteenth + deep, context + floor
            quarter, eighth = quarter + fine, eighth + context
        x = self.bottom(sixteenth)
        x = self.refine_eighth(F.relu(self.up_eighth(x) + eighth))
        x = self.refine_quarter(F.relu(self.up_quarter(x) + quarter + self.detail(half)))
        if not self.knows_scene:
            return (
                assembled(self.mask(x)) if self.variant.gives_mask else None,
                torch.sigmoid(assembled(self.depth(x))) if self.variant.gives_depth else None,
            )
        logits = assembled(self.mask(x))
        return (logits if self.variant.gives_mask else None), self._depth(x, logits, scene)

    def _depth(self, x: Tensor, logits: Tensor, scene: Tensor) -> Tensor:
        """The scene's depth, and where the mask is that of what is new."""
        share = torch.sigmoid(logits)
        if self.variant.gives_mask:
            # The depth loss must not move the mask: a wrong depth is no reason to see less.
            share = share.detach()
        # Depth within a thing is smooth: a cell has four columns and no rows of its own.
        n, _, h, w = x.shape
        new = torch.sigmoid(self.depth(x).permute(0, 2, 3, 1).reshape(n, h, 1, 4 * w))
        share, scene_rows = (t.reshape(n, h, 4, 4 * w) for t in (share, scene))
        if not self.training:
            # A thing is never behind what it covers. In training that would hide how far off it is.
            new = torch.maximum(new, scene_rows)
        return (scene_rows + share * (new - scene_rows)).reshape(scene.shape)
