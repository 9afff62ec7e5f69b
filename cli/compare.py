"""`edge compare`."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from edge import strict_json
from edge.cli.options import Json, Samples_, refuse_unused
from edge.errors import UsageError
from edge.progress import note, track

if TYPE_CHECKING:
    from edge.benchmarks.reporting.images import Answer
    from edge.benchmarks.reporting.report import Report

SHOWN = 4
"""Frames in the image."""


def compare(
    ctx: typer.Context,
    old: Annotated[
        Path, typer.Argument(help="report.json of `edge bench`; with --layers an int8 build.")
    ],
    new: Annotated[
        Optional[Path],
        typer.Argument(help="Another report of the same machine and samples.  [not --layers]"),
    ] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Compare an int8 build with its FP32 by layer.")
    ] = False,
    samples: Samples_ = "rendered:16:778",
    count: Annotated[int, typer.Option(min=1, help="Largest number of samples for --layers.")] = 16,
    out: Annotated[
        Path, typer.Option(help="Image of the frames that int8 changes most, for --layers.")
    ] = Path("layers.png"),
    as_json: Json = False,
) -> None:
    """Compare two reports, or with --layers the tensors of an int8 build with those of FP32."""
    if layers:
        if new is not None:
            raise UsageError("--layers takes one build", "leave the second argument out")
        _layers(old, samples, count, out, as_json)
        return
    refuse_unused(ctx, "without --layers", "samples", "count", "out")
    if new is None:
        raise UsageError("expected two report.json, or --layers and a build")
    _reports(old, new, as_json)


def _reports(old: Path, new: Path, as_json: bool) -> None:
    from edge.benchmarks.reporting.compare import compare as compare_reports

    verdicts = compare_reports(_read_report(old), _read_report(new))
    if as_json:
        print(json.dumps([asdict(verdict) for verdict in verdicts]))
        return
    width = max(len(verdict.name) for verdict in verdicts)
    for verdict in verdicts:
        scores = ", ".join(f"{name} {value:+.4f}" for name, value in verdict.scores.items())
        ratio = "-" if verdict.ratio is None else f"{verdict.ratio:.3f}x the time"
        print(f"{verdict.name:<{width}}  {ratio}: {verdict.verdict}; {scores}")


def _read_report(path: Path) -> Report:
    from edge.benchmarks.reporting.report import Report

    try:
        raw = strict_json.parse(path.read_text())
        schema = raw["schema"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is not a report.json of `edge bench`") from error
    if schema != Report.schema:
        raise UsageError(
            f"{path} is of schema {schema!r}, expected {Report.schema!r}", "measure again"
        )
    try:
        return Report.from_json(raw)
    except ValueError as error:
        raise UsageError(f"{path} is damaged: {error}", "measure again") from error


def _layers(build: Path, samples: str, count: int, out: Path, as_json: bool) -> None:
    import cv2
    import onnx

    from edge import manifest as manifests
    from edge.benchmarks.reporting.images import comparison_grid
    from edge.builder.write import NETWORK
    from edge.calibrate.apply import float_frame
    from edge.calibrate.evaluator import Evaluator
    from edge.calibrate.labelled import read_labelled
    from edge.calibrate.layer_error import (
        Differences,
        compare_tensors,
        tensor_arithmetic,
        worst,
    )
    from edge.calibrate.pipeline import BuildRequest, plan
    from edge.calibrate.samples import open_samples
    from edge.files import SideFiles, atomic_write
    from edge.targets import BACKGROUND, FRAME

    manifest = manifests.read(build)
    if manifest.precision != "int8":
        raise UsageError(f"{build} is {manifest.precision}; --layers is about an int8 build")
    request = BuildRequest(network=manifest.network, target=manifest.target, precision="fp32")
    float_build = plan(request, network=onnx.load(build / NETWORK))
    labelled = read_labelled(open_samples(samples), count)
    evaluator = Evaluator(float_build, labelled)
    reference = replace(float_build, frame=float_frame(float_build))
    scene = onnx.load(build / BACKGROUND) if (build / BACKGROUND).exists() else None
    quantized_build = replace(
        float_build,
        frame=onnx.load(build / FRAME),
        # An earlier version may have given a scene tensor another name.
        split=replace(
            float_build.split, background=scene, scene=tuple(t.name for t in manifest.scene)
        ),
    )
    sums, answers = Differences(reference.frame), []
    pairs = compare_tensors(reference, quantized_build, evaluator)
    for exact, quantized in track(pairs, len(labelled), "frame by frame"):
        sums.add(exact, quantized)
        answers.append({"FP32": _answer(exact), "INT8": _answer(quantized)})
    rows = sums.layers()
    order = sorted(range(len(answers)), key=lambda i: -_change(answers[i]))[:SHOWN]
    shown = [labelled[i][1] for i in order]
    image = comparison_grid(shown, [answers[i] for i in order], {"INT8": "FP32"})
    files = SideFiles()
    with files.attempt(), atomic_write(out) as draft:
        draft.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    if as_json:
        image_file = str(out) if files.written else None
        document = {"layers": [_row(asdict(row)) for row in rows], "image": image_file}
        print(json.dumps({**document, "arithmetic": tensor_arithmetic(evaluator)}))
        files.check()
        return
    width = max(len(row.name) for row in rows)
    print(f"{'layer':<{width}}  {'':<13}  SNR, dB  cosine")
    for row in rows:
        snr = "  equal" if math.isinf(row.snr_db) else f"{row.snr_db:7.1f}"
        mark = "  the error grows most here" if row == worst(rows) else ""
        print(f"{row.name:<{width}}  {row.op:<13}  {snr}  {row.cosine:.4f}{mark}")
    image_said = f"; the frames that change most: {out}" if files.written else ""
    note(f"{len(answers)} samples of {samples}, {tensor_arithmetic(evaluator)}{image_said}")
    files.check()


def _answer(tensors: dict[str, Any]) -> Answer:
    mask, depth = (tensors.get(part) for part in ("mask", "depth"))
    return None if mask is None else mask[0, 0], None if depth is None else depth[0, 0]


def _change(answers: dict[str, Answer]) -> float:
    """Mean change of a frame's mask in int8, or of its depth where there is no mask."""
    pairs = zip(answers["FP32"], answers["INT8"], strict=True)
    changes = [
        float(abs(exact - quantized).mean())
        for exact, quantized in pairs
        if exact is not None and quantized is not None
    ]
    return changes[0]


def _row(values: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: an equal tensor has null decibels."""
    return {key: None if isinstance(v, float) and math.isinf(v) else v for key, v in values.items()}
