"""Variants of a network: its inputs and outputs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

Outputs = tuple[Tensor | None, Tensor | None]
"""Mask logits and depth, float [N, 1, H, W]; None for an output that the variant lacks."""

INPUTS, OUTPUTS = ("spread", "both", "fg_bg"), ("both", "mask", "depth")


@dataclass(frozen=True)
class Variant:
    """Inputs and outputs of a network.

    Attributes:
        inputs: `both` images; `spread`, both and the spread of the scene; or `fg_bg`, the frame
            alone.
        outputs: `mask`, `depth` or `both`.

    Raises:
        ValueError: A value is none of these.
    """

    inputs: str = "both"
    outputs: str = "both"

    def __post_init__(self) -> None:
        for name, value, known in (
            ("inputs", self.inputs, INPUTS),
            ("outputs", self.outputs, OUTPUTS),
        ):
            if value not in known:
                raise ValueError(f"{name} {value!r}: expected one of {', '.join(known)}")

    @property
    def sees_bg(self) -> bool:
        return self.inputs != "fg_bg"

    @property
    def sees_spread(self) -> bool:
        return self.inputs == "spread"

    @property
    def gives_mask(self) -> bool:
        return self.outputs != "depth"

    @property
    def gives_depth(self) -> bool:
        return self.outputs != "mask"


class Stacked(nn.Module):
    """A network around a body of one input and one output.

    Both images enter as six channels (the frame alone as three), and each output channel of the
    body is an output of the network, the mask logits first.

    Args:
        body: float [N, 3 or 6, H, W] to [N, outputs, H, W].
        variant: Inputs and outputs.
        stride: Divisor of height and width.
        head: Name of the body's last layer.
        only: (height, width) of the images where the body works at no other size.
    """

    def __init__(
        self,
        body: nn.Module,
        variant: Variant,
        stride: int,
        head: str,
        only: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.body, self.variant, self.stride, self.only = body, variant, stride, only
        self.heads = (f"body.{head}",)

    def forward(self, bg: Tensor, fg_bg: Tensor, spread: Tensor | None = None) -> Outputs:
        x = torch.cat([bg, fg_bg], 1) if self.variant.sees_bg else fg_bg
        outputs = self.body(x)
        logits = outputs[:, :1] if self.variant.gives_mask else None
        depth = torch.sigmoid(outputs[:, -1:]) if self.variant.gives_depth else None
        return logits, depth


def channels(variant: Variant) -> tuple[int, int]:
    """Input and output channels of a `Stacked` body."""
    return (6 if variant.sees_bg else 3), variant.gives_mask + variant.gives_depth
