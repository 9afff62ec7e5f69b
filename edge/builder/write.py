"""Write a build: a folder with the engines, the graphs they were made from, and a manifest.

A build appears whole or not at all: it is written beside its place and moved there at the end.
"""

from __future__ import annotations

import datetime
import hashlib
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import onnx

from edge import manifest as manifests
from edge.errors import EXTRAS, UsageError
from edge.files import atomic_folder
from edge.graph.dependencies import FRAME_INPUT, SCENE_INPUT
from edge.graph.float16 import to_float16
from edge.graph.fold import Split, split
from edge.graph.profile import parameters
from edge.graph.resize import image_size
from edge.graph.uint8_outputs import with_uint8_outputs
from edge.manifest import BuildMismatch, Manifest, Tensor
from edge.targets.engine import BACKGROUND, FRAME, maker
from edge.targets.table import FORMS, TARGETS, Target, installed

RANGES = "ranges.json"
NETWORK = "network.onnx"
"""The float network that a build was made from, so that every build can be compared with FP32."""

USUAL = (224, 224)
"""Height and width that the bundled networks are made for."""


@dataclass(frozen=True)
class Plan:
    """What is to be built: graphs in the form that the target wants, and where they came from.

    source: the float network at the size of the build; split: its two graphs.
    frame:  the frame graph in the build's precision; as_bytes: it is to give uint8.
    model:  sha256 and metadata of the network; ranges: text of ranges.json, empty where nothing
            was calibrated, with their key in calibration.
    """

    network: str
    target: Target
    precision: str
    imgsz: tuple[int, int]
    source: onnx.ModelProto
    split: Split
    frame: onnx.ModelProto
    command: str
    model: dict[str, Any]
    sm: tuple[int, ...] = ()
    as_bytes: bool = False
    ranges: str = ""
    calibration: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As in small-int8-tensorrt-rtx-sm86; what is other than usual is part of it."""
        height, width = self.imgsz
        size = [] if self.imgsz == USUAL else [f"{width}x{height}"]
        sms = [f"sm{sm}" for sm in self.sm]
        kind = ["u8"] if self.as_bytes else []
        if self.target != TARGETS[self.target.name]:
            kind += [form for form, shuffle in FORMS.items() if shuffle == self.target.shuffle]
        return "-".join([self.network, self.precision, self.target.name, *sms, *size, *kind])


def fingerprint(network: onnx.ModelProto) -> str:
    """sha256 of a network; its builds say by it what they were made from."""
    return hashlib.sha256(network.SerializeToString(deterministic=True)).hexdigest()


def planned(
    source: onnx.ModelProto,
    network: str,
    target: Target,
    precision: str,
    command: str,
    sm: tuple[int, ...] = (),
    as_bytes: bool = False,
) -> Plan:
    """A plan with the frame graph in float: float16 for fp16 where the target obeys the graph.

    For int8 the frame graph is still to be quantized (edge.calibrate.apply).
    """
    parts = split(source)
    half = precision == "fp16" and target.name != "openvino"
    return Plan(
        network,
        target,
        precision,
        image_size(source),
        source,
        parts,
        to_float16(parts.frame) if half else parts.frame,
        command,
        {
            "sha256": fingerprint(source),
            **{entry.key: entry.value for entry in source.metadata_props},
        },
        sm,
        as_bytes,
    )


def _tensors(values: Sequence[onnx.ValueInfoProto]) -> tuple[Tensor, ...]:
    return tuple(
        Tensor(
            value.name,
            tuple(side.dim_value for side in value.type.tensor_type.shape.dim),
            str(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)),
        )
        for value in values
    )


def _megabytes(folder: Path, names: Sequence[str]) -> float:
    return round(sum((folder / name).stat().st_size for name in names) / 1e6, 3)


def _free(out: Path) -> None:
    """UsageError where a build in `out` would take the place of something that is not one."""
    if out.is_dir():
        there = {path.name for path in out.iterdir() if path.suffix != manifests.CACHE}
    else:
        there = {out.name} if out.exists() else set()
    known: set[str] = set()
    if manifests.FILE in there:
        try:
            found = manifests.parse((out / manifests.FILE).read_text(), out)
            known = {manifests.FILE, *found.files}
        except (BuildMismatch, UnicodeDecodeError):
            pass  # something else of that name
    if strange := sorted(there - known):
        raise UsageError(
            f"{out} holds {strange[0]}, which is of no build and would be removed; move it away, or"
            " give another --out"
        )


def write(plan: Plan, out: Path, started: float) -> Manifest:
    """Build `plan` into the folder `out` and return its manifest.

    started: `time.monotonic()` of when the work began, for build_s.
    """
    _free(out)
    frame = (
        with_uint8_outputs(plan.frame, plan.target.scheme == "u8") if plan.as_bytes else plan.frame
    )
    with atomic_folder(out) as folder:
        onnx.save(frame, folder / FRAME)
        onnx.save(plan.source, folder / NETWORK)
        background = plan.split.background
        if background is not None:
            onnx.save(background, folder / BACKGROUND)
        if plan.ranges:
            (folder / RANGES).write_text(plan.ranges)
        engine = maker(plan.target)(folder, plan.target, plan.precision, plan.sm)
        inputs = {value.name: value for value in frame.graph.input}
        pictures = [inputs[name] for name in (SCENE_INPUT, FRAME_INPUT) if name in inputs]
        scene = [value for name, value in inputs.items() if name not in (SCENE_INPUT, FRAME_INPUT)]
        manifest = Manifest(
            name=plan.name,
            network=plan.network,
            target=plan.target.name,
            precision=plan.precision,
            imgsz=plan.imgsz,
            inputs=_tensors(pictures),
            scene=_tensors(scene),
            outputs=_tensors(frame.graph.output),
            engine=engine.frame,
            background=engine.background,
            runtime=(plan.target.module, engine.version),
            command=plan.command,
            created=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            model=plan.model,
            params=parameters(plan.source),
            fold=plan.split.report(),
            calibration=plan.calibration,
            options=engine.options,
            sm=plan.sm,
            layers=engine.layers,
            int8_layers=engine.int8_layers,
            size_mb=_megabytes(folder, engine.weighs),
            build_s=round(time.monotonic() - started, 2),
        )
        return _sealed(folder, manifest)


def _sealed(folder: Path, manifest: Manifest) -> Manifest:
    """Write the manifest, with the hash of every other file."""
    files = {
        path.name: manifests.sha256(path)
        for path in sorted(folder.iterdir())
        if path.name != manifests.FILE
    }
    manifest = replace(manifest, files=files)
    (folder / manifests.FILE).write_text(manifest.to_json())
    return manifest


def finish(out: Path, started: float) -> Manifest:
    """Build the engines of a folder that was prepared on a machine without the builder."""
    manifest = manifests.read(out)
    target = TARGETS[manifest.target]
    if manifest.engine:
        raise UsageError(f"{out} is complete; to make it anew: {manifest.command}")
    if not installed(target):
        raise BuildMismatch(not_here(target, out))
    with atomic_folder(out) as folder:
        for name in manifest.files:
            shutil.copy2(out / name, folder / name)
        engine = maker(target)(folder, target, manifest.precision, manifest.sm)
        return _sealed(
            folder,
            replace(
                manifest,
                engine=engine.frame,
                background=engine.background,
                runtime=(target.module, engine.version),
                layers=engine.layers,
                int8_layers=engine.int8_layers,
                size_mb=_megabytes(folder, engine.weighs),
                build_s=round(time.monotonic() - started, 2),
            ),
        )


def not_here(target: Target, out: Path) -> str:
    """Why the engine could not be built here, and what finishes it."""
    cure = "copy the folder to the machine that has it and run there"
    if extra := EXTRAS.get(target.module):
        cure = f"pip install -c constraints.txt '.[{extra}]' brings it; then, or on another machine"
    return (
        f"{out} has its graphs but no engine: the Python module `{target.module}` is not installed"
        f" here; {cure}: edge build {out}"
    )
