"""Losses of mask and depth by name: every file in mask/ and depth/ registers one."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from edge.train.losses import depth, mask
from edge.train.losses.registry import DEPTH, MASK, Loss

__all__ = ["DEPTH", "MASK", "Loss", "default_depth_loss", "parse_losses"]

for _package in (mask, depth):
    for _module in pkgutil.iter_modules(_package.__path__):
        import_module(f"{_package.__name__}.{_module.name}")


def parse_losses(text: str, table: dict[str, Loss], side: int) -> tuple[str, ...]:
    """Parse names of losses.

    Args:
        text: Names joined by `+`, as in `bce+dice`.
        table: MASK or DEPTH.
        side: Side of the training images in pixels.

    Returns:
        The names, in the order given.

    Raises:
        ValueError: A name is unknown, or its loss does not take images of that side.
    """
    names = tuple(text.split("+"))
    if unknown := [name for name in names if name not in table]:
        raise ValueError(
            f"unknown loss {unknown[0]!r}; known, joined by +: {', '.join(sorted(table))}"
        )
    for name in names:
        if side < table[name].min_side:
            raise ValueError(
                f"{name} needs images of at least {table[name].min_side} pixels a side,"
                f" found {side}"
            )
    return names


def default_depth_loss(side: int) -> str:
    """The depth losses for training images of that side: MS-SSIM where its five scales fit."""
    return "ssi+ms_ssim" if side >= DEPTH["ms_ssim"].min_side else "ssi+ssim"
