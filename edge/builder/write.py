"""Write a build: a folder with the engines, the graphs they were made from, and a manifest.

A build appears whole or not at all: it is written beside its place and moved there at the end.
"""

from __future__ import annotations

import datetime
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace as changed
from pathlib import Path
from typing import TYPE_CHECKING

import onnx

from edge import manifest as manifests
from edge import signature
from edge.builder.plan import Plan
from edge.errors import BuildMismatch, EdgeError, UsageError
from edge.files import atomic_folder
from edge.graph.dependencies import IMAGES
from edge.graph.early_sigmoid import early_sigmoid
from edge.graph.profile import parameters
from edge.graph.scene_tensors import ready_scene_tensors
from edge.graph.uint8_outputs import with_uint8_outputs
from edge.manifest import Manifest, Origin, Tensor
from edge.progress import note
from edge.targets import BACKGROUND, FRAME, Engine, Target, get

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

RANGES = "ranges.json"
NETWORK = "network.onnx"
"""The float network that a build was made from, so that every build can be compared with FP32."""


def write_build(
    plan: Plan,
    out: Path,
    *,
    replace: bool = False,
    graphs_only: bool = False,
    began: float | None = None,
    key: Ed25519PrivateKey | None = None,
) -> Manifest:
    """Build a plan's engines into a folder.

    Args:
        plan: What is built.
        out: The folder; an older build of the same network in it is replaced.
        replace: Replace a build of another network, too.
        graphs_only: Leave the engines to `finish_build` on the machine that runs them.
        began: `time.time()` when the work on this build began, now by default. A build that another
            process has written into `out` since is kept.
        key: Signs the manifest.

    Returns:
        The manifest. Its engine is empty with `graphs_only`, and where the target's builder is not
        installed: the graphs are written, and `finish_build` completes the folder elsewhere.

    Raises:
        UsageError: `out` holds files that belong to no build, or a build of another network.
        EdgeError: The builder refuses a graph, the disk is full, or another process was quicker;
            nothing is left behind.
    """
    began = time.time() if began is None else began
    _check_first(out, began)
    _check_free(out)
    _check_network(plan, out, replace)
    background, frame = plan.split.background, plan.frame
    if background is not None and plan.precision in plan.target.channels_last:
        background, frame = ready_scene_tensors(background, frame, plan.target.float16_scene)
    if plan.target.device == "cpu":
        frame = early_sigmoid(frame)
    if plan.uint8_outputs:
        frame = with_uint8_outputs(frame, quantizer=plan.target.device == "cpu")
    with atomic_folder(out) as folder:
        onnx.save(frame, folder / FRAME)
        onnx.save(plan.source, folder / NETWORK)
        if background is not None:
            onnx.save(background, folder / BACKGROUND)
        if plan.ranges:
            (folder / RANGES).write_text(plan.ranges)
        if graphs_only:
            plan.target.check_graphs(folder)
            engine = Engine("", "", (FRAME,), "")
        else:
            engine = plan.target.make_engine(folder, plan.precision, plan.sm)
        manifest = _sealed(folder, _manifest(plan, frame, folder, engine), key)
        _check_first(out, began)
        return manifest


def _manifest(plan: Plan, frame: onnx.ModelProto, folder: Path, engine: Engine) -> Manifest:
    inputs = {value.name: value for value in frame.graph.input}
    images = [inputs[name] for name in IMAGES if name in inputs]
    scene = [value for name, value in inputs.items() if name not in IMAGES]
    background = plan.split.background
    return Manifest(
        name=plan.name,
        network=plan.network,
        target=plan.target.name,
        precision=plan.precision,
        imgsz=plan.imgsz,
        inputs=_tensors(images),
        scene=_tensors(scene),
        background_inputs=_tensors(background.graph.input) if background else (),
        outputs=_tensors(frame.graph.output),
        engine=engine.frame,
        background=engine.background,
        backend=plan.target.backend,
        runtime=(plan.target.modules[0], engine.version),
        command=plan.command,
        created=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        model=plan.model,
        bundled=plan.bundled,
        params=parameters(plan.source),
        fold=plan.split.report(),
        calibration=plan.calibration,
        options=engine.options,
        sm=plan.sm or engine.sm,
        layers=engine.layers,
        int8_layers=engine.int8_layers,
        instructions="any" if plan.precision == "int8" and plan.target.device == "cpu" else "",
        size_mb=_megabytes(folder, engine.sized),
        build_s=round(time.monotonic() - plan.started, 2),
    )


def finish_build(out: Path, key: Ed25519PrivateKey | None = None) -> Manifest:
    """Build the engines of a folder that was prepared on a machine without the builder.

    Args:
        out: The folder.
        key: Signs the manifest; a former signature does not hold for it.

    Raises:
        UsageError: The build is complete already.
        BuildMismatch: The builder is not installed here either.
    """
    started = time.monotonic()
    manifest = manifests.read(out)
    target = get(manifest.target)
    if manifest.engine:
        raise UsageError(f"{out} is complete", f"to make it anew: {manifest.command}")
    if not target.installed():
        raise no_engine(target, out)
    with atomic_folder(out) as folder:
        for name in manifest.files:
            shutil.copy2(out / name, folder / name)
        engine = target.make_engine(folder, manifest.precision, manifest.sm)
        return _sealed(
            folder,
            changed(
                manifest,
                engine=engine.frame,
                background=engine.background,
                runtime=(target.modules[0], engine.version),
                options=engine.options,
                sm=manifest.sm or engine.sm,
                layers=engine.layers,
                int8_layers=engine.int8_layers,
                size_mb=_megabytes(folder, engine.sized),
                build_s=round(time.monotonic() - started, 2),
            ),
            key,
        )


def no_engine(target: Target, out: Path) -> BuildMismatch:
    """The error for a folder whose engine cannot be built here, with the command that builds it."""
    hint = f"copy the folder to the machine that has it and run: edge build {out}"
    if target.extra:
        hint = f"{target.install_hint()}; then, or on another machine: edge build {out}"
    return BuildMismatch(
        f"{out} has its graphs but no engine: the Python module `{target.modules[0]}` is not"
        " installed here",
        hint,
    )


def _check_first(out: Path, began: float) -> None:
    """EdgeError where `out` holds a build that was written after this one had begun; one of the
    future is of before the clock was set back."""
    file = out / manifests.FILE
    if file.is_file() and began < file.stat().st_mtime <= time.time():
        raise EdgeError(
            f"another process built into {out} meanwhile; its build is kept, this one is not",
            "run the command again to replace it, or give another --out",
        )


def _check_free(out: Path) -> None:
    """UsageError where a build in `out` would remove files that belong to no build."""
    if out.is_dir():
        names = {path.name for path in out.iterdir() if path.suffix != manifests.CACHE}
    else:
        names = {out.name} if out.exists() else set()
    known: set[str] = set()
    if manifests.FILE in names:
        with suppress(BuildMismatch, UnicodeDecodeError):  # a manifest of something else
            known = {manifests.FILE, signature.FILE, *manifests.files_of(out)}
    if foreign := sorted(names - known):
        raise UsageError(
            f"{out} holds {foreign[0]}, which belongs to no build and would be removed",
            "move it away, or give another --out",
        )


def _check_network(plan: Plan, out: Path, replace: bool) -> None:
    """Say which build is replaced; UsageError where it is of another network and that was not
    asked for."""
    former = manifests.origin_of(out)
    ours = Origin(plan.network, str(plan.model["sha256"]), plan.bundled)
    if former is None or ours.replaces(former):
        return
    if not replace:
        raise UsageError(
            f"{out} is a build of {former}, this one is of {ours}",
            "--replace replaces it, --out names another folder",
        )
    note(f"replacing the build of {former} in {out}")


def _sealed(folder: Path, manifest: Manifest, key: Ed25519PrivateKey | None) -> Manifest:
    """Write the manifest with the hash of every other file, and its signature."""
    files = {
        path.name: manifests.sha256(path)
        for path in sorted(folder.iterdir())
        if path.name != manifests.FILE
    }
    manifest = changed(manifest, files=files)
    content = manifest.to_json().encode()
    (folder / manifests.FILE).write_bytes(content)
    signature.made(content)
    if key is not None:
        signature.sign(folder, key)
    return manifest


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
