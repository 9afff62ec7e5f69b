"""`edge compare`."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from edge.cli.options import Json, Samples_
from edge.errors import UsageError
from edge.progress import note, track


def compare(
    old: Annotated[
        Path, typer.Argument(help="report.json of `edge bench`; with --layers an int8 build.")
    ],
    new: Annotated[
        Optional[Path],
        typer.Argument(help="Another report, of the same machine and samples.  [not --layers]"),
    ] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Layer by layer, an int8 build against its FP32.")
    ] = False,
    samples: Samples_ = "rendered:16:778",
    count: Annotated[int, typer.Option(min=1, help="At most so many samples for --layers.")] = 16,
    out: Annotated[
        Path, typer.Option(help="Picture of the frames that int8 changes most, for --layers.")
    ] = Path("layers.png"),
    as_json: Json = False,
) -> None:
    """Two reports: better, worse or nobody can tell. With --layers: where int8 leaves FP32."""
    if layers:
        if new is not None:
            raise UsageError("--layers takes one build; leave the second argument out")
        _layers(old, samples, count, out, as_json)
    elif new is None:
        raise UsageError("expected two report.json, or --layers and a build")
    else:
        _reports(old, new, as_json)


def _reports(old: Path, new: Path, as_json: bool) -> None:
    from edge.benchmarks.reporting.compare import compare as verdicts

    found = verdicts(_report(old), _report(new))
    if as_json:
        print(json.dumps([asdict(verdict) for verdict in found]))
        return
    width = max(len(verdict.name) for verdict in found)
    for verdict in found:
        scores = ", ".join(f"{name} {value:+.4f}" for name, value in verdict.scores.items())
        print(
            f"{verdict.name:<{width}}  {verdict.ratio:.3f}x the time: {verdict.verdict}; {scores}"
        )


def _report(path: Path) -> dict[str, Any]:
    from edge.benchmarks.measuring.run import SCHEMA

    try:
        report = json.loads(path.read_text())
        schema = report["schema"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is not a report.json of `edge bench`") from error
    if schema != SCHEMA or "watch" not in report:
        raise UsageError(f"{path} is of schema {schema!r}, expected {SCHEMA!r}; measure again")
    return dict(report)


WORST = 4
"""Frames in the picture."""


def _layers(build: Path, samples: str, count: int, out: Path, as_json: bool) -> None:
    import cv2
    import onnx

    from edge import manifest as manifests
    from edge.benchmarks.reporting.pictures import comparison_grid
    from edge.builder.write import NETWORK, planned
    from edge.calibrate.apply import float_frame
    from edge.calibrate.layer_error import Differences, compare, worst
    from edge.cli.sensitivity import judge_of
    from edge.files import atomic_write
    from edge.targets.engine import FRAME
    from edge.targets.table import TARGETS

    about = manifests.read(build)
    if about.precision != "int8":
        raise UsageError(f"{build} is {about.precision}; --layers is about an int8 build")
    target = TARGETS[about.target]
    plan = planned(onnx.load(build / NETWORK), about.network, target, "fp32", "edge compare")
    judge = judge_of(plan, samples, count)
    reference = float_frame(plan)
    sums, answers = Differences(reference), []
    pairs = compare(reference, onnx.load(build / FRAME), judge)
    for true, found in track(pairs, len(judge.samples), "frame by frame"):
        sums.add(true, found)
        answers.append({name: _answer(each) for name, each in (("FP32", true), ("INT8", found))})
    rows = sums.layers()
    order = sorted(range(len(answers)), key=lambda i: -_changed(answers[i]))[:WORST]
    chosen = [judge.samples[i][1] for i in order]
    picture = comparison_grid(chosen, [answers[i] for i in order], {"INT8": "FP32"})
    with atomic_write(out) as draft:
        draft.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    if as_json:
        print(json.dumps({"layers": [_row(asdict(row)) for row in rows], "picture": str(out)}))
        return
    width = max(len(row.name) for row in rows)
    print(f"{'layer':<{width}}  {'':<13}  SNR, dB  cosine")
    for row in rows:
        snr = "  equal" if math.isinf(row.snr_db) else f"{row.snr_db:7.1f}"
        mark = "  the error grows most here" if row == worst(rows) else ""
        print(f"{row.name:<{width}}  {row.op:<13}  {snr}  {row.cosine:.4f}{mark}")
    note(f"{len(answers)} samples of {samples}; the frames that change most: {out}")


def _answer(tensors: dict[str, Any]) -> tuple[Any, Any]:
    mask, depth = (tensors.get(part) for part in ("mask", "depth"))
    return None if mask is None else mask[0, 0], None if depth is None else depth[0, 0]


def _changed(answers: dict[str, tuple[Any, Any]]) -> float:
    """How much int8 changes a frame's mask, or its depth where there is no mask."""
    pairs = zip(answers["FP32"], answers["INT8"], strict=True)
    changes = [float(abs(one - other).mean()) for one, other in pairs if one is not None]
    return changes[0]


def _row(values: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: what is equal has null decibels."""
    return {key: None if isinstance(v, float) and math.isinf(v) else v for key, v in values.items()}
