"""The manifest of a build folder: what it is, how it was made, and what it needs to run.

Only the standard library is used here: the runtime reads it on the smallest device.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from edge.errors import MISMATCH, EdgeError

FILE = "manifest.json"
CACHE = ".cache"
"""Ending of what TensorRT-RTX compiled for this GPU, beside each plan: the next start needs no
compiling. It is not part of the build."""
SCHEMA = "edge.build/1"


class BuildMismatch(EdgeError):
    """A build does not fit: damaged, incomplete, for another runtime version or another GPU."""

    exit_code = MISMATCH


@dataclass(frozen=True)
class Tensor:
    """A named input or output: shape as the engine takes it, dtype in numpy's words."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Manifest:
    """Everything that is known of a build.

    imgsz:      (height, width) of the pictures.
    inputs:     of the frame graph without the scene tensors; bg is among them where the network
                could not be folded.
    scene:      tensors that the background graph gives and the frame graph takes.
    engine:     file that the runtime loads for a frame; empty while the build is not complete.
    runtime:    the runtime's Python module and the version that the build was made with.
    options:    settings of the runtime that belong to the precision.
    params:     numbers in the float network's weights.
    fold:       what became a constant of the scene, and what could not (edge.graph.fold).
    layers, int8_layers: weight-carrying layers of the frame graph, and those whose data and
                weights are int8 in the engine itself (None where the engine was not inspected).
    files:      sha256 of every other file of the folder.
    command:    the command that makes this build again.
    """

    name: str
    network: str
    target: str
    precision: str
    imgsz: tuple[int, int]
    inputs: tuple[Tensor, ...]
    scene: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    engine: str
    background: str
    runtime: tuple[str, str]
    command: str
    created: str
    model: dict[str, Any]
    params: int
    fold: dict[str, Any]
    calibration: dict[str, Any] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    sm: tuple[int, ...] = ()
    layers: int | None = None
    int8_layers: int | None = None
    size_mb: float = 0.0
    build_s: float = 0.0
    files: dict[str, str] = field(default_factory=dict)
    schema: str = SCHEMA

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _tensors(value: Any) -> tuple[Tensor, ...]:
    return tuple(Tensor(t["name"], tuple(t["shape"]), t["dtype"]) for t in value)


def parse(text: str, folder: Path) -> Manifest:
    """The manifest in `text`; BuildMismatch says what is wrong with one that is not ours."""
    try:
        raw = json.loads(text)
        if raw["schema"] != SCHEMA:
            raise BuildMismatch(
                f"{folder}: manifest of schema {raw['schema']!r}, expected {SCHEMA!r};"
                " build it again with this version of edge"
            )
        known = {f.name for f in fields(Manifest)}
        values = {key: value for key, value in raw.items() if key in known}
        for key in ("inputs", "scene", "outputs"):
            values[key] = _tensors(raw[key])
        for key in ("imgsz", "runtime", "sm"):
            values[key] = tuple(raw[key])
        return Manifest(**values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuildMismatch(
            f"{folder / FILE} is damaged ({type(error).__name__}: {error}); build it again"
        ) from error


def read(folder: Path) -> Manifest:
    """The manifest of a build folder, after checking that every file is as it was written."""
    path = folder / FILE
    if not path.is_file():
        raise BuildMismatch(
            f"{folder} is not a build: it has no {FILE}; `edge build` makes one under ./build"
        )
    manifest = parse(path.read_text(errors="replace"), folder)
    for name, expected in manifest.files.items():
        file = folder / name
        if not file.is_file():
            raise BuildMismatch(f"{file} is missing; make it again: {manifest.command}")
        found = sha256(file)
        if found != expected:
            raise BuildMismatch(
                f"{file} is not the file that was built: found sha256 {found[:12]}...,"
                f" expected {expected[:12]}...; make it again: {manifest.command}"
            )
    return manifest
