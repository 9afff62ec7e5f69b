"""`edge build`."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from edge.bundled import DEFAULT
from edge.cli.calibrate import ranges_of
from edge.cli.options import Count, Imgsz, Json, Method, Samples_, command_line, model_of
from edge.errors import UsageError
from edge.progress import note, track

if TYPE_CHECKING:
    from edge.builder.write import Plan
    from edge.calibrate.record import Ranges
    from edge.manifest import Manifest
    from edge.targets.table import Target


def _sms(text: str, target: Target) -> tuple[int, ...]:
    """`86,89` as numbers that the target can build for."""
    if not text:
        return ()
    if not target.sms:
        raise UsageError(f"--sm is for tensorrt-rtx; {target.name} builds for the machine it is on")
    known = ", ".join(str(sm) for sm in target.sms)
    try:
        chosen = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError as error:
        raise UsageError(f"--sm {text}: expected numbers such as 86,89; known: {known}") from error
    if unknown := [sm for sm in chosen if sm not in target.sms]:
        raise UsageError(f"--sm {unknown[0]}: {target.name} cannot build for it; known: {known}")
    return chosen


def make(
    model: Optional[str],
    network: str,
    precision: str,
    target: str,
    sm: str,
    imgsz: Optional[str],
    samples: str,
    calib_method: str,
    calib_samples: int,
    ranges: Optional[Path],
    as_bytes: bool = False,
    max_drop: Optional[float] = None,
    form: Optional[str] = None,
) -> Plan:
    """Everything of a build but its folder: the network, split, and quantized for int8."""
    from edge.builder.write import planned
    from edge.targets import table as targets

    row = targets.choose(target)
    targets.check_precision(row, precision)
    if max_drop is not None and precision != "int8":
        raise UsageError(f"--max-drop is about int8; {precision} keeps everything in float")
    if form is not None:
        if precision != "int8":
            raise UsageError(f"--form is about int8; {precision} keeps ConvTranspose")
        row = targets.in_form(row, form)
    source, name = model_of(model, network, imgsz)
    words: list[object] = ["edge", "build", *([model] if model else ["--network", network])]
    words += ["--precision", precision, "--target", row.name]
    words += ["--sm", sm] if sm else []
    words += ["--imgsz", imgsz] if imgsz else []
    if precision == "int8":
        words += ["--samples", samples, "--calib-method", calib_method]
        words += ["--calib-samples", calib_samples]
    words += ["--bytes"] if as_bytes else []
    words += ["--max-drop", max_drop] if max_drop is not None else []
    words += ["--form", form] if form else []
    plan = planned(source, name, row, precision, command_line(words), _sms(sm, row), as_bytes)
    if precision != "int8":
        return plan
    from edge.calibrate.apply import apply

    found = ranges_of(source, plan.split, samples, calib_samples, calib_method, ranges)
    if max_drop is None:
        return apply(plan, found)
    return apply(plan, found, _kept(plan, found, samples, calib_samples, max_drop))


def _kept(plan: Plan, ranges: Ranges, samples: str, count: int, allowed: float) -> list[str]:
    """The layers that stay in float so that no more is lost on the samples than allowed."""
    from edge.calibrate.apply import float_frame
    from edge.calibrate.qdq import SCHEMES, quantize
    from edge.calibrate.sensitivity import costs, layers, within
    from edge.cli.sensitivity import judge_of

    judge = judge_of(plan, samples, count)
    frame, scheme = float_frame(plan), SCHEMES[plan.target.scheme]
    first = judge.lost(quantize(frame, ranges.ranges, scheme))
    note(f"all in int8: {_losses(first)} lost on {count} samples, allowed are {allowed:g}")
    if max(first.values()) <= allowed:
        return []
    names = layers(frame, scheme)
    found = dict(
        track(costs(frame, ranges.ranges, scheme, judge, {}), len(names), "layer by layer")
    )
    kept = within(frame, ranges.ranges, scheme, judge, found, allowed)
    for layer in kept.layers:
        note(f"in float: {layer}, which alone costs {_losses(found[layer])}")
    note(f"{len(kept.layers)} of {len(names)} layers in float: {_losses(kept.lost)} lost")
    return list(kept.layers)


def _losses(lost: dict[str, float]) -> str:
    return ", ".join(f"{value:.4f} {key}" for key, value in lost.items())


def build(
    model: Annotated[
        Optional[str],
        typer.Argument(
            help="ONNX file, checkpoint (.pt), or a build folder to finish on this machine."
            "  [default: the bundled network]"
        ),
    ] = None,
    network: Annotated[str, typer.Option(help="Bundled network.")] = DEFAULT,
    precision: Annotated[str, typer.Option(help="int8, fp16, bf16 or fp32.")] = "int8",
    target: Annotated[
        str, typer.Option(help="auto, openvino, onnxruntime, tensorrt-rtx or tensorrt.")
    ] = "auto",
    sm: Annotated[
        str, typer.Option(help="GPU generations of a tensorrt-rtx plan, as in 86,89,120.")
    ] = "",
    imgsz: Imgsz = None,
    samples: Samples_ = "rendered",
    calib_method: Method = "minmax",
    calib_samples: Count = 64,
    ranges: Annotated[
        Optional[Path], typer.Option(help="Ranges of `edge calibrate` with the same options.")
    ] = None,
    max_drop: Annotated[
        Optional[float],
        typer.Option(
            min=0, help="Keep layers in float until int8 loses no more IoU or delta1 on --samples."
        ),
    ] = None,
    form: Annotated[
        Optional[str],
        typer.Option(
            help="Of ConvTranspose 2x2 in int8: convtranspose or depth-to-space.  [default: the"
            " target's]"
        ),
    ] = None,
    as_bytes: Annotated[
        bool, typer.Option("--bytes", help="Give mask and depth as uint8, 255 for 1.0.")
    ] = False,
    out: Annotated[
        Optional[Path], typer.Option(help="Folder of the build.  [default: build/NAME]")
    ] = None,
    as_json: Json = False,
) -> None:
    """Build an engine: calibrated on samples, for a target, in a precision."""
    from edge.builder import write as builds
    from edge.errors import MISMATCH
    from edge.targets.table import TARGETS

    started = time.monotonic()
    if model and Path(model).is_dir():
        place = Path(model)
        manifest = builds.finish(place, started)
    else:
        plan = make(
            model,
            network,
            precision,
            target,
            sm,
            imgsz,
            samples,
            calib_method,
            calib_samples,
            ranges,
            as_bytes,
            max_drop,
            form,
        )
        place = out or Path("build") / plan.name
        if out:
            plan = replace(plan, command=f"{plan.command} {command_line(['--out', out])}")
        manifest = builds.write(plan, place, started)
    _tell(manifest, place, as_json)
    if not manifest.engine:
        note(f"error: {builds.not_here(TARGETS[manifest.target], place)}")
        raise typer.Exit(MISMATCH)


def _tell(manifest: Manifest, place: Path, as_json: bool) -> None:
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
        print(json.dumps({"path": str(place), **document, "files": sorted(manifest.files)}))
        return
    height, width = manifest.imgsz
    proof = ""
    if manifest.layers is not None:
        proof = f", {manifest.int8_layers} of {manifest.layers} layers in int8"
    note(
        f"{manifest.name}: {width}x{height}, {manifest.size_mb} MB a frame's engine{proof},"
        f" built in {manifest.build_s} s"
    )
    fold = manifest.fold
    note(
        f"{fold['frame_macs'] / 1e6:.1f} MMAC a frame; {fold['background_macs'] / 1e6:.1f} MMAC of"
        " the background run once per scene"
    )
    for reason in fold["unfolded"]:
        note(f"not folded: {reason}")
    print(place)


def default_build() -> Path:
    """The bundled network in int8 for this machine, under ./build, made if it is not there or was
    made from an older one."""
    from edge.builder.write import write
    from edge.files import locked
    from edge.targets.table import choose

    place = Path("build") / f"{DEFAULT}-int8-{choose('auto').name}"
    if _current(place):
        return place
    with locked(place.parent):
        if not _current(place):  # nobody made it meanwhile
            started = time.monotonic()
            note(f"building the bundled network: {place}")
            plan = make(None, DEFAULT, "int8", "auto", "", None, "rendered", "minmax", 64, None)
            write(plan, place, started)
    return place


def _current(place: Path) -> bool:
    """Whether a build is there and of the network that is bundled."""
    from edge import manifest as manifests
    from edge.builder.write import fingerprint

    if not (place / manifests.FILE).is_file():
        return False
    bundled, _ = model_of(None, DEFAULT, None)
    return bool(manifests.read(place).model["sha256"] == fingerprint(bundled))
