"""`edge build`."""

from __future__ import annotations

import json
import time
from dataclasses import replace as changed
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from edge.bundled import DEFAULT
from edge.cli.options import (
    CalibrationSamples,
    Count,
    Imgsz,
    Json,
    Method,
    SceneDepth,
    SceneDepthFormat,
    Upsample,
    command_line,
    network_of,
    parse_imgsz,
    refuse_unused,
)
from edge.errors import AccuracyGateMissed, BuildMismatch, UsageError
from edge.progress import note

if TYPE_CHECKING:
    from edge.manifest import Manifest

CALIBRATION = ("samples", "calib_method", "calib_samples", "ranges", "max_drop", "keep", "upsample")
"""Options that only int8 has."""


def build(
    ctx: typer.Context,
    model: Annotated[
        Optional[str],
        typer.Argument(
            help="ONNX file, checkpoint (.pt), or a build folder to finish on this machine."
            "  [default: the bundled network]"
        ),
    ] = None,
    network: Annotated[str, typer.Option(help="Bundled network: nano, tiny or small.")] = DEFAULT,
    precision: Annotated[str, typer.Option(help="int8, fp16, bf16 or fp32.")] = "int8",
    target: Annotated[
        str,
        typer.Option(
            help="Runtime: tensorrt, tensorrt-rtx, openvino, onnxruntime, or auto for the fastest"
            " that runs here."
        ),
    ] = "auto",
    sm: Annotated[
        str, typer.Option(help="GPU generations of a tensorrt-rtx plan, as in 86,89,120.")
    ] = "",
    imgsz: Imgsz = None,
    samples: CalibrationSamples = "rendered",
    calib_method: Method = "minmax",
    calib_samples: Count = 64,
    ranges: Annotated[
        Optional[Path], typer.Option(help="Ranges that `edge calibrate` wrote for these options.")
    ] = None,
    max_drop: Annotated[
        Optional[float],
        typer.Option(
            min=0, help="Keep layers in float until int8 loses no more IoU or delta1 on --samples."
        ),
    ] = None,
    keep: Annotated[str, typer.Option(help="Layers that stay in float, by commas.")] = "",
    upsample: Upsample = None,
    uint8_outputs: Annotated[
        bool, typer.Option("--bytes", help="Give mask and depth as uint8, 255 for 1.0.")
    ] = False,
    scene_depth: SceneDepth = None,
    scene_depth_format: SceneDepthFormat = None,
    format: Annotated[
        Optional[str],
        typer.Option(
            help="Also write the build for another server: triton (a model repository) or"
            " deepstream (a configuration of nvinfer)."
        ),
    ] = None,
    out: Annotated[
        Optional[Path],
        typer.Option(
            help="Folder of the build, or of --format; an older one in it is replaced."
            "  [default: build/NAME, build/NAME-FORMAT]"
        ),
    ] = None,
    graphs_only: Annotated[
        bool,
        typer.Option(
            "--graphs-only",
            help="Write the graphs alone; `edge build FOLDER` finishes them on another machine.",
        ),
    ] = False,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Replace a build of another network in build/NAME."),
    ] = False,
    sign: Annotated[
        Optional[Path],
        typer.Option(
            help="Sign the build with this Ed25519 key (PEM); a build folder that is complete is"
            " signed as it is."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Build an engine: calibrate a network on samples and compile it for a target."""
    from edge import manifest as manifests
    from edge import signature
    from edge.builder import formats
    from edge.builder.write import finish_build, no_engine, write_build
    from edge.calibrate.pipeline import BuildRequest, plan
    from edge.targets import AUTO, get

    server = formats.get(format) if format else None
    if server and out:
        server.check(out)
    key = signature.private_key(sign) if sign else None
    if model and Path(model).is_dir():
        free = ("model", "sign", "as_json", *(("format", "out") if server else ()))
        options = [name for name in ctx.params if name not in free]
        refuse_unused(ctx, f"on {model}: a build folder is finished as it was prepared", *options)
        place = Path(model)
        manifest = manifests.read(place)
        if server:
            server.target_of(manifest.target)
        if key and manifest.engine:
            signature.sign(place, key)
        elif not (server and manifest.engine):
            manifest = finish_build(place, key)
    else:
        if model:
            refuse_unused(ctx, f"beside {model}", "network")
        if server:
            refuse_unused(ctx, f"beside --format {server.name}, which needs engines", "graphs_only")
            target = server.target_of(target)
        elif out:
            refuse_unused(ctx, "beside --out, which replaces the build in its folder", "replace")
        if precision != "int8":
            refuse_unused(ctx, f"on {precision}, only on int8", *CALIBRATION)
        request = BuildRequest(
            model=model,
            network=network,
            target=target,
            precision=precision,
            imgsz=parse_imgsz(imgsz) if imgsz else None,
            samples=samples,
            calib_method=calib_method,
            calib_samples=calib_samples,
            ranges=ranges,
            max_drop=max_drop,
            keep=tuple(keep.split(",")) if keep else (),
            upsample=upsample,
            uint8_outputs=uint8_outputs,
            sm=parse_sms(sm),
            scene_depth=scene_depth,
            scene_depth_format=scene_depth_format,
        )
        began = time.time()
        if target != AUTO and not graphs_only and not get(target).installed():
            note(f"{target} is not installed here: its graphs are prepared, without an engine")
        graph, request = network_of(request)
        planned = plan(request, network=graph)
        own = None if server else out
        place = own or Path("build") / planned.name
        if own:
            planned = changed(planned, command=f"{planned.command} {command_line(['--out', own])}")
        manifest = write_build(
            planned,
            place,
            replace=replace or own is not None,
            graphs_only=graphs_only,
            began=began,
            key=key,
        )
    written, lines = None, []
    if server and manifest.engine:
        written = out or place.with_name(f"{place.name}-{server.name}")
        server.check(written)
        lines = server.write(place, manifest, written)
    _print(manifest, place, written, as_json)
    for line in lines:
        note(f"to run it: {line}")
    if not manifest.engine and manifest.precision == "int8" and 75 in manifest.sm:
        note(f"its engine will be all float: {TURING}")
    if graphs_only:
        note(f"it has no engine yet; on the machine that runs it: edge build {place}")
    elif not manifest.engine:
        error: BuildMismatch = no_engine(get(manifest.target), place)
        if server:
            error.hint += " " + command_line(
                ["--format", server.name, *(["--out", out] if out else [])]
            )
        raise error
    _check_int8(manifest, place)


TURING = "TensorRT-RTX has no int8 for Turing (75), nor for others in the same plan"


def _check_int8(manifest: Manifest, place: Path) -> None:
    """AccuracyGateMissed where int8 was asked for and the engine has none."""
    if manifest.precision != "int8" or not manifest.layers or manifest.int8_layers:
        return
    kept = len(manifest.calibration.get("kept_in_float", ()))
    if kept == manifest.layers:  # asked for, by --keep or --max-drop
        return
    why = "; the engine can be used, it is no faster than FP32"
    if 75 in manifest.sm:
        why += f". {TURING}"
    others = ",".join(str(sm) for sm in manifest.sm if sm != 75)
    raise AccuracyGateMissed(
        f"{place} was asked for in int8, and none of its {manifest.layers} layers is{why}",
        "build --precision fp16" + (f", or leave 75 out: --sm {others}" if others else ""),
    )


def parse_sms(text: str) -> tuple[int, ...]:
    """Read `86,89` as numbers."""
    try:
        return tuple(sorted({int(part) for part in text.split(",")})) if text else ()
    except ValueError as error:
        raise UsageError(f"--sm {text}: expected numbers such as 86,89") from error


def _print(manifest: Manifest, place: Path, written: Path | None, as_json: bool) -> None:
    """Say what was built in `place` and, for --format, written to `written`."""
    if as_json:
        keys = (
            "name",
            "target",
            "precision",
            "imgsz",
            "size_mb",
            "layers",
            "int8_layers",
            "build_s",
        )
        document = {key: getattr(manifest, key) for key in keys}
        document |= {"format_path": str(written)} if written else {}
        print(json.dumps({"path": str(place), **document, "files": sorted(manifest.files)}))
        return
    height, width = manifest.imgsz
    made, counted = "engine" if manifest.engine else "graph", ""
    if manifest.layers is not None:
        counted = f", {manifest.int8_layers} of {manifest.layers} layers in int8"
    note(
        f"{manifest.name}: {width}x{height}, {manifest.size_mb} MB frame {made}{counted},"
        f" built in {manifest.build_s} s"
    )
    fold = manifest.fold
    note(
        f"{fold['frame_macs'] / 1e6:.1f} MMAC per frame; the background's"
        f" {fold['background_macs'] / 1e6:.1f} MMAC run once per scene"
    )
    for reason in fold["unfolded"]:
        note(f"not folded: {reason}")
    if written:
        note(f"its build: {place}")
    print(written or place)


def default_build(precision: str = "int8") -> Path:
    """The bundled network for this machine, under ./build.

    It is built if it is missing, of an older version, or of an older bundled network.

    Raises:
        UsageError: The folder holds a build of another network, which stays as it is.
    """
    from edge import manifest as manifests
    from edge.calibrate.pipeline import BuildRequest, build, resolve
    from edge.files import NotWritten, locked

    request, target = resolve(BuildRequest(precision=precision))
    place = Path("build") / f"{request.network}-{request.precision}-{target.name}"
    if _is_current(place):
        return place
    try:
        with locked(place.parent):
            if not _is_current(place):  # another process may have built it meanwhile
                former = manifests.origin_of(place)
                if former and not former.bundled:
                    raise UsageError(
                        f"{place}, the folder of the bundled network, holds a build of {former}",
                        "name the build to use, as in edge run SOURCE --build FOLDER or edge bench"
                        " FOLDER, or move that one away",
                    )
                note(f"building the bundled network: {place}")
                build(request, place)
    except NotWritten as error:
        error.hint = "run in a folder that can be written, or name a build to use"
        raise
    return place


def _is_current(place: Path) -> bool:
    """Whether a readable build of the bundled network that is right on this CPU is in a folder."""
    from edge import manifest as manifests
    from edge.builder.plan import fingerprint
    from edge.calibrate.pipeline import BuildRequest, load_network
    from edge.runtime.backend import check_instructions

    if not (place / manifests.FILE).is_file():
        return False
    bundled, _ = load_network(BuildRequest())
    try:
        manifest = manifests.read(place)
        check_instructions(place, manifest)
        return bool(manifest.model["sha256"] == fingerprint(bundled))
    except BuildMismatch:
        return False
