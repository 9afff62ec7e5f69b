"""`edge networks`."""

from __future__ import annotations

import json
from typing import Any

import typer

from edge.cli.options import Json
from edge.errors import UsageError

SIDES = (64, 112, 224)


def networks(
    inputs: str = typer.Option("both", help="What they see: both pictures, or fg_bg."),
    outputs: str = typer.Option("both", help="What they give: mask, depth or both."),
    as_json: Json = False,
) -> None:
    """List the networks that can be trained: parameters and multiplications.

    `a frame` is what is left per frame when the scene's share is folded; without a note it is all.
    """
    from train.networks import NETWORKS
    from train.networks.variant import Variant

    try:
        variant = Variant(inputs, outputs)
    except ValueError as error:
        raise UsageError(f"--{error}") from error
    found = [_described(name, variant) for name in NETWORKS]
    if as_json:
        print(json.dumps({"inputs": inputs, "outputs": outputs, "networks": found}))
        return
    heads = ["parameters", *(f"MMAC at {side}" for side in SIDES)]
    print(f"{'':16}" + "".join(f"{head:>24}" for head in heads))
    for entry in found:
        cells = [f"{entry['params']:,}", *(_cell(entry, side) for side in SIDES)]
        print(f"{entry['name']:16}" + "".join(f"{cell:>24}" for cell in cells))


def _described(name: str, variant: Any) -> dict[str, Any]:
    """name, params, and by side macs and frame_macs (None at sizes that it does not take)."""
    from train.cost import macs
    from train.networks import create

    # On torch's meta device shapes are followed and nothing is computed.
    network = create(name, variant).to("meta")
    fits = [side for side in SIDES if network.only in (None, (side, side))]
    return {
        "name": name,
        "params": sum(p.numel() for p in network.parameters()),
        "macs": {str(s): macs(network, s, scene=True) if s in fits else None for s in SIDES},
        "frame_macs": {str(s): macs(network, s) if s in fits else None for s in SIDES},
    }


def _cell(entry: dict[str, Any], side: int) -> str:
    whole, frame = entry["macs"][str(side)], entry["frame_macs"][str(side)]
    if whole is None:
        return "-"
    text = f"{whole / 1e6:,.0f}"
    return text if whole == frame else f"{text} ({frame / 1e6:,.0f} a frame)"
