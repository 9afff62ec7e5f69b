"""The ConvTranspose U-Net: one encoder for both images, their difference at every level.

Everything that depends on the background alone is a constant of the scene, so a build runs it
once per scene and compiles the result into the frame's graph:
- the encoder's features of `bg` (both images share its weights, so `abs(f - b)` compares like with
  like);
- the local texture of the scene: beside an edge a difference may be a camera that shook, on a plain
  wall it is foreground;
- the spread of the scene (edge.scene.spread), if the network takes it: where water, leaves or light
  move, a difference is less likely foreground;
- the depth of the scene, from a network of its own (train/networks/scene.py).
One small encoder and one decoder remain per frame. They predict the mask and the depth of the
foreground; the depth map is assembled from that and the scene's depth.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge.train.networks.layers import conv, upsample
from edge.train.networks.scene import SceneDepth, SceneDepthNetwork
from edge.train.networks.variant import Outputs, Variant


class Encoder(nn.Module):
    """Features at 1/2, 1/4, 1/8 and 1/16 of the image's height and width."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            conv(inputs, outputs, stride=2)
            for inputs, outputs in zip((3, *widths), widths, strict=False)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        features = []
        x = image
        for level in self.levels:
            x = level(x)
            features.append(x)
        return features


class Geometry(nn.Module):
    """The scene's depth as features at 1/16 and 1/8: an object is as deep as its floor."""

    def __init__(self, eighth: int, sixteenth: int) -> None:
        super().__init__()
        self.eighth = nn.Sequential(conv(1, 8), nn.Conv2d(8, eighth, 1))
        self.sixteenth = nn.Sequential(conv(1, 8), nn.Conv2d(8, sixteenth, 1))

    def forward(self, depth: Tensor) -> tuple[Tensor, Tensor]:
        small = F.avg_pool2d(depth, 8)
        return self.sixteenth(F.avg_pool2d(small, 2)), self.eighth(small)


class Texture(nn.Module):
    """Texture of the scene as features at 1/4 and 1/8, from the encoder's features at 1/2."""

    def __init__(self, half: int, quarter: int, eighth: int) -> None:
        super().__init__()
        self.seen = nn.Sequential(conv(half, 32, 2), conv(32, 32))
        self.quarter = nn.Conv2d(32, quarter, 1)
        self.eighth = nn.Sequential(conv(32, 32, 2), nn.Conv2d(32, eighth, 1))

    def forward(self, half: Tensor) -> tuple[Tensor, Tensor]:
        x = self.seen(half)
        return self.quarter(x), self.eighth(x)


class SpreadFeatures(nn.Module):
    """How the scene lives as features at 1/4, 1/8 and 1/16: its spread beside the encoder's
    features of `bg` at 1/2. It begins with zeros, so a trained network may be given one."""

    def __init__(self, half: int, quarter: int, eighth: int, sixteenth: int) -> None:
        super().__init__()
        self.spread = conv(3, 16, 2)
        self.seen = nn.Sequential(conv(16 + half, 32, 2), conv(32, 32))
        self.quarter = nn.Conv2d(32, quarter, 1)
        self.to_eighth = conv(32, 48, 2)
        self.eighth = nn.Conv2d(48, eighth, 1)
        self.to_sixteenth = conv(48, 48, 2)
        self.sixteenth = nn.Conv2d(48, sixteenth, 1)
        for last in (self.quarter, self.eighth, self.sixteenth):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def forward(self, spread: Tensor, half: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        # The root tells small spreads apart: most are of a few grey levels.
        x = self.seen(torch.cat([self.spread(torch.sqrt(spread)), half], 1))
        eighth = self.to_eighth(x)
        return self.quarter(x), self.eighth(eighth), self.sixteenth(self.to_sixteenth(eighth))


def depth_to_space(cells: Tensor) -> Tensor:
    """[N, 16, h, w] to [N, 1, 4 h, 4 w]: channel 4 i + j is row i, column j of its cell.

    After a 1x1 convolution this equals a ConvTranspose 4x4 of stride 4, in the form that runs in
    int8 everywhere.
    """
    n, _, h, w = cells.shape
    split = cells.permute(0, 2, 3, 1).reshape(n, h, w, 4, 4)
    return split.permute(0, 1, 3, 2, 4).reshape(n, 1, 4 * h, 4 * w)


class UNet(nn.Module):
    """Mask and depth from a background (the empty scene) and a frame.

    The decoder ends at 1/4, where the differences at 1/2 join it through a convolution of stride 2;
    from there the head goes to full resolution in one step (docs/experiments.md gives the time of
    the layers above 1/4 that this replaced).

    Args:
        widths: Channels of the frame's encoder at 1/2, 1/4, 1/8 and 1/16. CPU kernels work on 16
            channels at a time: 8 or 24 take as long as 16 or 32.
        variant: Inputs and outputs. Without bg the features of the frame replace the differences,
            and the whole depth map is predicted at every frame.
    """

    stride = 16
    """Divisor of the images' height and width."""
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
        if variant.sees_spread:
            self.life = SpreadFeatures(half, quarter, eighth, sixteenth)
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
        """Take over and freeze the scene depth of `other`."""
        self.scene_depth.load_state_dict(other.scene_depth.state_dict())
        self.scene_depth.keep()

    def add_spread(self) -> None:
        """Make the network one that also takes the spread; its outputs do not change yet."""
        half, quarter, eighth, sixteenth = (level[0].out_channels for level in self.encoder.levels)  # type: ignore[index]
        self.life = SpreadFeatures(half, quarter, eighth, sixteenth)
        self.variant = replace(self.variant, inputs="spread")

    def forward(self, bg: Tensor, fg_bg: Tensor, spread: Tensor | None = None) -> Outputs:
        """Predict mask and depth.

        Args:
            bg: float [N, 3, H, W], BGR in 0..1.
            fg_bg: float [N, 3, H, W], BGR in 0..1.
            spread: float [N, 3, H, W] in 0..1; None where it is unknown.

        Returns:
            Mask logits and depth (inverse, near is large, 0..1), both float [N, 1, H, W]; None for
            an output that the variant lacks.
        """
        features = self.encoder(fg_bg)
        if self.variant.sees_bg:
            scene_features = self.encoder(bg)
            pairs = zip(features, scene_features, strict=True)
            features = [torch.abs(f - b) for f, b in pairs]
        half, quarter, eighth, sixteenth = features
        if self.variant.sees_bg:
            # What depends on the scene alone is summed first, and added to the frame's share once.
            fine, context = self.texture(scene_features[0])
            coarse: Tensor | None = None
            if self.variant.sees_spread:
                known = torch.zeros_like(bg) if spread is None else spread
                moving, swaying, coarse = self.life(known, scene_features[0])
                fine, context = fine + moving, context + swaying
            if self.knows_scene:
                scene = self.scene_depth(bg)
                deep, floor = self.geometry(scene)
                context = context + floor
                coarse = deep if coarse is None else coarse + deep
            quarter, eighth = quarter + fine, eighth + context
            if coarse is not None:
                sixteenth = sixteenth + coarse
        x = self.bottom(sixteenth)
        x = self.refine_eighth(F.relu(self.up_eighth(x) + eighth))
        x = self.refine_quarter(F.relu(self.up_quarter(x) + quarter + self.detail(half)))
        if not self.knows_scene:
            return (
                depth_to_space(self.mask(x)) if self.variant.gives_mask else None,
                torch.sigmoid(depth_to_space(self.depth(x))) if self.variant.gives_depth else None,
            )
        logits = depth_to_space(self.mask(x))
        return (logits if self.variant.gives_mask else None), self._depth(x, logits, scene)

    def _depth(self, x: Tensor, logits: Tensor, scene: Tensor) -> Tensor:
        """Blend the scene's depth with that of the foreground by the mask."""
        share = torch.sigmoid(logits)
        if self.variant.gives_mask:
            # The depth loss must not move the mask: a wrong depth is no reason to see less.
            share = share.detach()
        # Depth within an object is smooth: a cell predicts four columns for all its rows.
        n, _, h, w = x.shape
        foreground = torch.sigmoid(self.depth(x).permute(0, 2, 3, 1).reshape(n, h, 1, 4 * w))
        share, scene_rows = (t.reshape(n, h, 4, 4 * w) for t in (share, scene))
        if not self.training:
            # An object is never behind what it covers; in training this would cut its gradient.
            foreground = torch.maximum(foreground, scene_rows)
        return (scene_rows + share * (foreground - scene_rows)).reshape(scene.shape)
