"""`edge inspect`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.cli.options import Json


def inspect(
    build: Annotated[Path, typer.Argument(help="A build folder.")], as_json: Json = False
) -> None:
    """Say what a build is, how it was made, what goes in and out, and what it needs."""
    from edge import manifest as manifests

    found = manifests.read(build)
    if as_json:
        print(json.dumps(asdict(found)))
        return
    height, width = found.imgsz
    module, version = found.runtime
    needs = f"{module} {version}" + (
        f", a GPU of SM {', '.join(map(str, found.sm))}" if found.sm else ""
    )
    layers = "not inspected" if found.layers is None else f"{found.int8_layers} of {found.layers}"
    fold = found.fold
    about: dict[str, object] = {
        "build": f"{found.name}, {found.size_mb:.2f} MB",
        "is": f"{found.network} in {found.precision} for {found.target}, {width}x{height}",
        "layers in int8": layers,
        "takes": ", ".join(_tensor(t) for t in found.inputs),
        "gives": ", ".join(_tensor(t) for t in found.outputs),
        "of the scene": ", ".join(_tensor(t) for t in found.scene) or "nothing is folded",
        "work": f"{fold['frame_macs'] / 1e6:.1f} MMAC a frame,"
        f" {fold['background_macs'] / 1e6:.1f} MMAC a scene",
        "needs": needs if found.engine else f"{module}, to be finished: edge build {build}",
        "calibrated": _calibrated(found.calibration),
        "made": f"{found.created} by: {found.command}",
        "network": f"{found.params:,} parameters, sha256 {str(found.model['sha256'])[:12]}...",
        "files": ", ".join(found.files),
    }
    width_ = max(map(len, about))
    for key, value in about.items():
        print(f"{key:<{width_}}  {value}")


def _tensor(tensor: Any) -> str:
    return f"{tensor.name} {tensor.dtype} {list(tensor.shape)}"


def _calibrated(calibration: dict[str, Any]) -> str:
    if not calibration:
        return "no"
    return f"{calibration['method']} of {calibration['count']} samples of {calibration['samples']}"
