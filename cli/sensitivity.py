"""`edge sensitivity`."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from edge import __version__, strict_json
from edge.bundled import DEFAULT
from edge.cli.options import (
    Count,
    Imgsz,
    Json,
    Method,
    network_of,
    parse_imgsz,
    refuse_unused,
)
from edge.errors import UsageError
from edge.progress import note, track

if TYPE_CHECKING:
    from edge.builder.plan import Plan
    from edge.calibrate.record import Ranges

Row = dict[str, Any]
CALIBRATED_ON, EVALUATED_ON = "rendered", "rendered:48:778"
"""Without --samples: two disjoint sets of rendered scenes."""


def sensitivity(
    ctx: typer.Context,
    model: Annotated[
        Optional[str], typer.Argument(help="ONNX file or checkpoint.  [default: the bundled one]")
    ] = None,
    network: Annotated[str, typer.Option(help="Bundled network: nano, tiny or small.")] = DEFAULT,
    target: Annotated[str, typer.Option(help="Target, as in edge build.")] = "auto",
    samples: Annotated[
        Optional[str],
        typer.Option(
            help="Labelled samples that give the ranges and the scores."
            f"  [default: ranges of {CALIBRATED_ON}, scores on {EVALUATED_ON}]"
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Largest number of scored samples.")] = 48,
    imgsz: Imgsz = None,
    calib_method: Method = "minmax",
    calib_samples: Count = 64,
    out: Annotated[
        Path, typer.Option(help="File of the results; a killed run goes on from it.")
    ] = Path("sensitivity.json"),
    as_json: Json = False,
) -> None:
    """Measure the accuracy that each layer loses in int8 alone, and the time that its int8 saves.

    The saving of a layer is the frame time with this layer in float minus that with every layer in
    int8, interleaved on this machine; it is not measured for targets that do not run here.
    """
    from edge.calibrate.apply import float_frame
    from edge.calibrate.evaluator import Evaluator, arithmetic
    from edge.calibrate.labelled import read_labelled
    from edge.calibrate.pipeline import BuildRequest, plan, record
    from edge.calibrate.qdq import SCHEMES
    from edge.calibrate.samples import open_samples
    from edge.calibrate.sensitivity import layer_drops, layers
    from edge.files import SideFiles, atomic_write
    from edge.targets import choose

    if model:
        refuse_unused(ctx, f"beside {model}", "network")
    request = BuildRequest(
        model=model,
        network=network,
        target=choose(target).name,
        precision="fp32",
        imgsz=parse_imgsz(imgsz) if imgsz else None,
        samples=samples or CALIBRATED_ON,
        calib_method=calib_method,
        calib_samples=calib_samples,
    )
    graph, request = network_of(request)
    float_build = plan(request, network=graph)
    evaluated = open_samples(samples or EVALUATED_ON)
    count = min(count, len(evaluated))
    names = layers(float_frame(float_build), SCHEMES[float_build.target.scheme])
    key = {
        "model": float_build.model["sha256"],
        "target": request.target,
        "samples": samples or EVALUATED_ON,
        "count": count,
        "calibrated_on": request.samples,
        "calib_method": calib_method,
        "calib_samples": calib_samples,
        "samples_sha256": evaluated.fingerprint(),
        "calibrated_on_sha256": open_samples(request.samples).fingerprint(),
        "version": __version__,
    }
    here = float_build.target.runs_here()
    key["arithmetic"] = arithmetic(float_build.target)
    drops, files = _read_results(out, key), SideFiles()
    ranges = record(request, graph)
    if len(drops) < len(names):
        scored = read_labelled(evaluated, count)
        evaluator = Evaluator(float_build, scored)
        steps = layer_drops(float_build, ranges, evaluator, drops)
        for layer, drop in track(steps, len(names) - len(drops), "layer drops"):
            drops[layer] = drop
            with files.attempt(), atomic_write(out) as draft:
                draft.write_text(json.dumps({"key": key, "drops": drops}, indent=1) + "\n")
    saved = _saved_ms(float_build, ranges, names) if here else {}
    rows: list[Row] = [
        {"layer": layer, **{f"drop_{k}": v for k, v in drops[layer].items()},
         "saves_ms": saved.get(layer)}
        for layer in sorted(drops, key=lambda layer: -max(drops[layer].values()))
    ]  # fmt: skip
    if as_json:
        print(json.dumps({**key, "layers": rows}))
    else:
        _print(rows)
        file = f"; file: {out}" if files.written else ""
        note(
            f"ranges of {request.samples}, scores on {count} samples of {key['samples']}"
            f" {key['arithmetic']}{file}"
        )
    files.check()


def _read_results(out: Path, key: Row) -> dict[str, dict[str, float]]:
    """The drops that an earlier run with the same key measured."""
    if not out.is_file():
        return {}
    from edge.benchmarks.reporting.codec import decode
    from edge.benchmarks.reporting.report import Sensitivity

    try:
        before = decode(Sensitivity, strict_json.parse(out.read_text()))
    except ValueError as error:
        raise UsageError(
            f"--out {out} is not a file of `edge sensitivity`", "give another file"
        ) from error
    names = [name for name, value in key.items() if before.key.get(name) != value]
    # Samples are the same by their content, however their folder is written.
    if different := [name for name in names if f"{name}_sha256" not in key]:
        words = ", ".join(name.removesuffix("_sha256") for name in different)
        raise UsageError(
            f"--out {out} holds results for another {words}",
            "remove it, or give another file",
        )
    note(f"{len(before.drops)} layers are taken from {out}")
    return before.drops


def _saved_ms(float_build: Plan, ranges: Ranges, names: list[str]) -> dict[str, float]:
    """Milliseconds that each layer's int8 saves."""
    from dataclasses import replace

    import numpy as np

    import edge
    from edge.builder.write import write_build
    from edge.calibrate.apply import quantize_plan
    from edge.interleave import median_ms

    grey = np.full((*float_build.imgsz, 3), 90, np.uint8)
    int8 = replace(float_build, precision="int8")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-sensitivity-")))
        calls = []
        kept = [[], *([name] for name in names)]
        for number, keep in enumerate(track(kept, len(kept), "builds to time")):
            place = folder / str(number)
            write_build(quantize_plan(int8, ranges, keep), place)
            h = stack.enter_context(edge.open(place, 1))
            edge.set_background(h, grey)
            calls.append(lambda h=h: edge.infer(h, grey))  # type: ignore[misc]
        all_int8, *one_in_float = median_ms(calls)
    return {name: round(ms - all_int8, 4) for name, ms in zip(names, one_in_float, strict=True)}


def _print(rows: list[Row]) -> None:
    keys = [key for key in rows[0] if key != "layer"]
    width = max(len(row["layer"]) for row in rows)
    print(f"{'layer':<{width}}  " + "  ".join(f"{key:>11}" for key in keys))
    for row in rows:
        cells = ("-" if row[key] is None else f"{row[key]:.4f}" for key in keys)
        print(f"{row['layer']:<{width}}  " + "  ".join(f"{cell:>11}" for cell in cells))
