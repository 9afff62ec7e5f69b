"""What a network is shown and what it gives: the variants that every network has."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

Outputs = tuple[Tensor | None, Tensor | None]
"""The mask's logits and the depth, float [N, 1, H, W]; None for what a variant does not give."""

INPUTS, OUTPUTS = ("both", "fg_bg"), ("both", "mask", "depth")


@dataclass(frozen=True)
class Variant:
    """inputs: `both` pictures or the frame, `fg_bg`, alone; outputs: `mask`, `depth` or `both`."""

    inputs: str = "both"
    outputs: str = "both"

    def __post_init__(self) -> None:
        for what, found, known in (
            ("inputs", self.inputs, INPUTS),
            ("outputs", self.outputs, OUTPUTS),
        ):
            if found not in known:
                raise ValueError(f"{what} {found!r}: expected one of {', '.join(known)}")

    @property
    def sees_bg(self) -> bool:
        return self.inputs == "both"

    @property
    def gives_mask(self) -> bool:
        return self.outputs != "depth"

    @property
    def gives_depth(self) -> bool:
        return self.outputs != "mask"


class Stacked(nn.Module):
    """A network of one input and one output: both pictures go in as six channels (or the frame as
    three), and each output channel is an answer, the mask's logits first.

    body: float [N, variant_channels, H, W] to [N, answers, H, W]; `head` is its last layer's name.
    only: (height, width) of the pictures where the body works at no other.
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

    def forward(self, bg: Tensor, fg_bg: Tensor) -> Outputs:
        x = torch.cat([bg, fg_bg], 1) if self.variant.sees_bg else fg_bg
        answers = self.body(x)
        logits = answers[:, :1] if self.variant.gives_mask else None
        depth = torch.sigmoid(answers[:, -1:]) if self.variant.gives_depth else None
        return logits, depth


def channels(variant: Variant) -> tuple[int, int]:
    """Channels in and out of a `Stacked` body."""
    return (6 if variant.sees_bg else 3), variant.gives_mask + variant.gives_depth
