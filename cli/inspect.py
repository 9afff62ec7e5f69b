"""`edge inspect`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.cli.options import Json

if TYPE_CHECKING:
    from edge.manifest import Tensor


def inspect(
    build: Annotated[Path, typer.Argument(help="Build folder.")], as_json: Json = False
) -> None:
    """Show a build: its inputs and outputs, how it was made, and what it needs to run."""
    from edge import manifest as manifests

    manifest = manifests.read(build)
    if as_json:
        print(json.dumps(asdict(manifest)))
        return
    height, width = manifest.imgsz
    module, version = manifest.runtime
    gpu = f", a GPU of SM {', '.join(map(str, manifest.sm))}" if manifest.sm else ""
    needs = f"{module} {version}{gpu}" if manifest.engine else f"{module}, and `edge build {build}`"
    if manifest.precision == "int8" and manifest.backend in ("openvino", "onnxruntime"):
        everywhere = manifest.instructions == "any"
        needs += ", " + ("any CPU" if everywhere else "a CPU with dot products (VNNI)")
    int8 = f"{manifest.int8_layers} of {manifest.layers}"
    fold = manifest.fold
    rows: dict[str, object] = {
        "build": f"{manifest.name}, {manifest.size_mb:.2f} MB",
        "network": f"{'the bundled ' if manifest.bundled else ''}{manifest.network}"
        f" in {manifest.precision} for {manifest.target},"
        f" {width}x{height}",
        "parameters": f"{manifest.params:,}",
        "sha256": f"{str(manifest.model['sha256'])[:12]}...",
        **_scene_depth(manifest.model),
        "int8 layers": "not inspected" if manifest.layers is None else int8,
        "inputs": ", ".join(_tensor(t) for t in manifest.inputs),
        "scene images": ", ".join(_tensor(t) for t in manifest.scene_inputs) or "none",
        "outputs": ", ".join(_tensor(t) for t in manifest.outputs),
        "scene tensors": ", ".join(_tensor(t) for t in manifest.scene) or "none: nothing is folded",
        "work": f"{fold['frame_macs'] / 1e6:.1f} MMAC per frame,"
        f" {fold['background_macs'] / 1e6:.1f} MMAC per scene",
        "needs": needs,
        "calibration": _calibration(manifest.calibration),
        "created": manifest.created,
        "command": manifest.command,
        "files": ", ".join(manifest.files),
    }
    longest = max(map(len, rows))
    for key, value in rows.items():
        print(f"{key:<{longest}}  {value}")


def _tensor(tensor: Tensor) -> str:
    return f"{tensor.name} {tensor.dtype} {list(tensor.shape)}"


def _scene_depth(model: dict[str, Any]) -> dict[str, object]:
    """The network that gives the depth of the scene, where it is another one."""
    if "scene_depth_file" not in model:
        return {}
    file, sha = model["scene_depth_file"], model["scene_depth_sha256"]
    return {"scene depth": f"{file}, sha256 {sha[:12]}..., {model['scene_depth_format']}"}


def _calibration(calibration: dict[str, Any]) -> str:
    if not calibration:
        return "none"
    source = calibration["samples"] or "handed in"
    return f"{calibration['method']} of {calibration['count']} samples ({source})"
