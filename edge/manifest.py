"""The manifest of a build folder: what the build is, how it was made, what it needs to run.

It uses only the standard library, because the runtime reads it on the smallest device.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from edge import signature, strict_json
from edge.errors import BuildMismatch

FILE = "manifest.json"
CACHE = ".cache"
"""Suffix of the kernels that TensorRT-RTX compiled for this GPU, beside each plan: the next start
skips compiling. The file is not part of the build."""
SCHEMA = "edge.build/2"
FRAME_INPUT = "fg_bg"
SCENE_DEPTH = "scene_depth"
"""Name of the scene tensor that is the depth of the scene, where the network has one: the values of
[H, W] row by row, in any shape."""


@dataclass(frozen=True)
class Tensor:
    """A named input or output: shape as the engine takes it, dtype by numpy's name."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Manifest:
    """Everything that is known about a build (docs/manifest.md).

    imgsz:      (height, width) of the images.
    inputs:     of the frame graph without the scene tensors; bg and spread are among them where
                the network could not be folded.
    scene:      tensors that the background graph computes and the frame graph reads.
    background_inputs: images that the background graph takes: bg, and spread where the network
                knows it. Builds of earlier versions do not name them: bg alone.
    engine:     file that the runtime loads for a frame; empty until the build is finished.
    backend:    module of edge.runtime.backends that runs the engine.
    runtime:    the runtime's Python module and the version that the build was made with.
    options:    settings of the runtime that belong to the precision.
    params:     parameters of the float network.
    bundled:    whether the network is one of this package; its name alone does not say so.
    fold:       what became a constant of the scene, and what could not (edge.graph.fold).
    layers, int8_layers: weight-carrying layers of the frame graph, and those whose data and
                weights are int8 in the engine itself (None where the engine was not inspected).
    instructions: instruction sets of the CPU on which the accuracy of an int8 build holds: `any`,
                or empty in builds of earlier versions, whose sums of products saturate on an x86
                CPU without dot products (edge.runtime.instructions).
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
    backend: str
    runtime: tuple[str, str]
    command: str
    created: str
    model: dict[str, Any]
    params: int
    fold: dict[str, Any]
    background_inputs: tuple[Tensor, ...] = ()
    bundled: bool = False
    calibration: dict[str, Any] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    sm: tuple[int, ...] = ()
    layers: int | None = None
    int8_layers: int | None = None
    instructions: str = ""
    size_mb: float = 0.0
    build_s: float = 0.0
    files: dict[str, str] = field(default_factory=dict)
    schema: str = SCHEMA

    @property
    def scene_inputs(self) -> tuple[Tensor, ...]:
        """The images of the scene that the background graph or the frame graph takes."""
        images = {t.name: t for t in (*self.background_inputs, *self.inputs)}
        return tuple(tensor for name, tensor in images.items() if name != FRAME_INPUT)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _current(command: str) -> str:
    """A command of schema edge.build/1 with today's name of its option."""
    return command.replace("--form depth-to-space", "--upsample depth_to_space").replace(
        "--form", "--upsample"
    )


def _tensors(value: Any) -> tuple[Tensor, ...]:
    return tuple(Tensor(t["name"], tuple(t["shape"]), t["dtype"]) for t in value)


def _is(kind: type) -> Callable[[Any], bool]:
    return lambda value: type(value) is kind  # True is no number


def _each(fits: Callable[[Any], bool], count: int | None = None) -> Callable[[Any], bool]:
    return lambda values: len(values) == (count or len(values)) and all(map(fits, values))


def _is_tensor(value: Tensor) -> bool:
    shape = all(type(side) is int and side > 0 for side in value.shape)
    return shape and type(value.name) is type(value.dtype) is str


FITS: dict[str, Callable[[Any], bool]] = {
    "str": _is(str),
    "int": _is(int),
    "int | None": lambda value: value is None or type(value) is int,
    "bool": _is(bool),
    "float": lambda value: type(value) in (int, float) and math.isfinite(value),
    "tuple[int, int]": _each(_is(int), 2),
    "tuple[int, ...]": _each(_is(int)),
    "tuple[str, str]": _each(_is(str), 2),
    "tuple[Tensor, ...]": _each(_is_tensor),
    "dict[str, Any]": _is(dict),
    "dict[str, str]": lambda value: all(type(text) is str for text in value.values()),
}
"""Whether a value is of the type of a field."""


def _check(manifest: Manifest) -> None:
    """ValueError where a value has another type, or a file is not of the folder: whatever a build
    reads, copies and runs lies in it and has its hash."""
    for each in fields(Manifest):
        if not FITS[str(each.type)](getattr(manifest, each.name)):
            raise ValueError(each.name)
    if min(manifest.imgsz) < 1:
        raise ValueError("imgsz")
    json.dumps(asdict(manifest), allow_nan=False)
    _check_names(manifest.files)
    if not {manifest.engine, manifest.background} - {""} <= manifest.files.keys():
        raise ValueError("engine")


def _check_names(files: dict[str, Any]) -> None:
    """ValueError where a name leads out of the folder."""
    for name in files:
        if name in ("", ".", "..", FILE) or "/" in name or "\0" in name:
            raise ValueError("files")


def parse(text: str, folder: Path) -> Manifest:
    """Read a manifest.

    Args:
        text: Content of manifest.json.
        folder: The build folder, for messages.

    Raises:
        BuildMismatch: The text is damaged, or its schema is not SCHEMA.
    """
    try:
        raw = strict_json.parse(text)
        if raw["schema"] != SCHEMA:
            raise BuildMismatch(
                f"{folder}: manifest of schema {str(raw['schema'])[:40]!r}, expected {SCHEMA!r}",
                f"build it again with this version: {_current(raw.get('command', 'edge build'))}",
            )
        known = {f.name for f in fields(Manifest)}
        values = {key: value for key, value in raw.items() if key in known}
        for key in ("inputs", "scene", "outputs"):
            values[key] = _tensors(raw[key])
        bg = [{"name": "bg", "shape": [1, *raw["imgsz"], 3], "dtype": "uint8"}]
        values["background_inputs"] = _tensors(
            raw.get("background_inputs", bg if raw["scene"] else [])
        )
        for key in ("imgsz", "runtime", "sm"):
            values[key] = tuple(raw[key])
        for key in ("files", "model", "fold", "calibration", "options"):
            if key in values:
                values[key] = dict(values[key])
        manifest = Manifest(**values)
        _check(manifest)
        return manifest
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise BuildMismatch(
            f"{folder / FILE} is damaged: it is not JSON with all fields of docs/manifest.md",
            "build it again, as with edge build --precision int8",
        ) from error


def files_of(folder: Path) -> list[str]:
    """Names of the files of a build folder, of this schema or an older one.

    Raises:
        BuildMismatch: The manifest is not of a build.
    """
    try:
        raw = strict_json.parse((folder / FILE).read_text())
        if not str(raw["schema"]).startswith("edge.build/"):
            raise ValueError(raw["schema"])
        _check_names(files := dict(raw["files"]))
        return list(files)
    except (ValueError, KeyError, TypeError) as error:
        raise BuildMismatch(f"{folder / FILE} is not of a build") from error


@dataclass(frozen=True)
class Origin:
    """The network that a build was made of."""

    network: str
    sha256: str
    bundled: bool

    def __str__(self) -> str:
        owner = "the bundled" if self.bundled else "the network"
        return f"{owner} {self.network} (sha256 {self.sha256[:12]}...)"

    def replaces(self, other: Origin) -> bool:
        """Whether a build of this network may replace one of `other` unasked: it is the same
        network, or another version of the same bundled one."""
        both = self.bundled and other.bundled and self.network == other.network
        return both or self.sha256 == other.sha256


def origin_of(folder: Path) -> Origin | None:
    """The network of a build of this schema or an older one, whether its files are whole or not;
    None where the folder is no build."""
    try:
        files_of(folder)
        raw = strict_json.parse((folder / FILE).read_text())
        network, sha = str(raw["network"]), str(raw["model"]["sha256"])
        return Origin(network, sha, raw.get("bundled") is True)
    except (BuildMismatch, OSError, ValueError, KeyError, TypeError):
        return None


def read_finished(folder: Path) -> Manifest:
    """Read the manifest of a build that has its engine.

    Raises:
        BuildMismatch: As of `read`, or the folder has its graphs alone.
    """
    manifest = read(folder)
    if not manifest.engine:
        raise BuildMismatch(
            f"{folder} has no engine yet",
            f"finish it on a machine with {manifest.runtime[0]}: edge build {folder}",
        )
    return manifest


def read(folder: Path) -> Manifest:
    """Read the manifest of a build folder and check who signed it and the hash of every file.

    Raises:
        BuildMismatch: The folder is no build, a file is missing or changed, or EDGE_TRUST names the
            key of somebody who did not sign it.
    """
    path = folder / FILE
    if not path.is_file():
        raise BuildMismatch(
            f"{folder} is not a build: it has no {FILE}", "`edge build` makes one under ./build"
        )
    content = path.read_bytes()
    signature.check(folder, content)
    manifest = parse(content.decode(errors="replace"), folder)
    again = f"make it again: {manifest.command}"
    for name, expected in manifest.files.items():
        file = folder / name
        if not file.is_file():
            raise BuildMismatch(f"{file} is missing", again)
        actual = sha256(file)
        if actual != expected:
            raise BuildMismatch(
                f"{file} is not the file that was built: found sha256 {actual[:12]}...,"
                f" expected {expected[:12]}...",
                again,
            )
    return manifest
