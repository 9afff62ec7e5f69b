"""`edge sensitivity`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from edge import __version__
from edge.bundled import DEFAULT
from edge.cli.options import Count, Imgsz, Json, Method, Samples_, model_of, read_samples
from edge.errors import UsageError
from edge.progress import note, track

if TYPE_CHECKING:
    from edge.builder.write import Plan
    from edge.calibrate.evaluator import Evaluator
    from edge.calibrate.record import Ranges

Row = dict[str, Any]


def judge_of(plan: Plan, samples: str, count: int) -> Evaluator:
    """What judges the plan's graphs: at most `count` samples of a source, evenly spread."""
    from edge.calibrate.evaluator import Evaluator
    from edge.calibrate.samples import open_samples
    from edge.runtime.cores import usable_cores

    return Evaluator(
        plan.split, read_samples(open_samples(samples), count), plan.imgsz, usable_cores()
    )


def sensitivity(
    model: Annotated[
        Optional[str], typer.Argument(help="ONNX file or checkpoint.  [default: the bundled one]")
    ] = None,
    network: Annotated[str, typer.Option(help="Bundled network.")] = DEFAULT,
    target: Annotated[str, typer.Option(help="Whose int8 arithmetic, as in edge build.")] = "auto",
    samples: Samples_ = "rendered:48:778",
    count: Annotated[int, typer.Option(min=1, help="At most so many samples judge.")] = 48,
    imgsz: Imgsz = None,
    calib_method: Method = "minmax",
    calib_samples: Count = 64,
    out: Annotated[
        Path, typer.Option(help="File of the results; a run that was killed goes on from it.")
    ] = Path("sensitivity.json"),
    as_json: Json = False,
) -> None:
    """Say what each layer costs when it alone is int8, and what its int8 saves.

    The time is that of all in int8 but this layer, less that of all in int8, in turn, on this
    machine; targets that need a GPU have none here.
    """
    from edge.builder.write import planned
    from edge.calibrate.apply import float_frame
    from edge.calibrate.qdq import SCHEMES
    from edge.calibrate.samples import open_samples
    from edge.calibrate.sensitivity import costs, layers
    from edge.cli.calibrate import ranges_of
    from edge.files import atomic_write
    from edge.targets.table import choose

    row = choose(target)
    source, name = model_of(model, network, imgsz)
    plan = planned(source, name, row, "int8", "edge sensitivity")
    ranges = ranges_of(source, plan.split, "rendered", calib_samples, calib_method)
    frame, scheme = float_frame(plan), SCHEMES[row.scheme]
    every = layers(frame, scheme)
    judged = open_samples(samples)
    count = min(count, len(judged))
    claim = {"model": plan.model["sha256"], "target": row.name, "samples": samples, "count": count}
    claim |= {"method": calib_method, "calibrated_on": calib_samples}
    claim |= {"pictures": judged.fingerprint(), "version": __version__}
    known = _known(out, claim)
    todo = len(every) - len(known)
    if todo:
        judge = judge_of(plan, samples, count)
        found = costs(frame, ranges.ranges, scheme, judge, known)
        for layer, lost in track(found, todo, "layer by layer"):
            known[layer] = lost
            with atomic_write(out) as draft:
                draft.write_text(json.dumps({"claim": claim, "lost": known}, indent=1) + "\n")
    saved = _saved(plan, ranges, every) if row.runs_here else {}
    rows: list[Row] = [
        {"layer": layer, **{f"lost_{k}": v for k, v in known[layer].items()},
         "saves_ms": saved.get(layer)}
        for layer in sorted(known, key=lambda layer: -max(known[layer].values()))
    ]  # fmt: skip
    if as_json:
        print(json.dumps({**claim, "layers": rows}))
        return
    _print(rows)
    note(f"{count} samples of {samples}; results: {out}")


def _known(out: Path, claim: Row) -> dict[str, dict[str, float]]:
    """What an earlier run of the same question found."""
    if not out.is_file():
        return {}
    try:
        found = json.loads(out.read_text())
        before, lost = dict(found["claim"]), dict(found["lost"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"--out {out} holds something else; give another file") from error
    if other := [key for key, value in claim.items() if before.get(key) != value]:
        raise UsageError(
            f"--out {out} holds results of another question ({', '.join(other)} differ); remove it,"
            " or give another file"
        )
    note(f"{len(lost)} layers are taken from {out}")
    return lost


def _saved(plan: Plan, ranges: Ranges, every: list[str]) -> dict[str, float]:
    """Milliseconds that each layer's int8 saves."""
    import tempfile
    import time
    from contextlib import ExitStack

    import numpy as np

    import edge
    from edge.benchmarks.performance import inferring, take_turns
    from edge.builder.write import write
    from edge.calibrate.apply import apply
    from edge.samples.sample import Sample

    grey = np.full((*plan.imgsz, 3), 90, np.uint8)
    nothing = Sample("grey", grey, grey, np.zeros(plan.imgsz, np.uint8))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-sensitivity-")))
        calls = []
        for number, keep in enumerate(track([[], *[[n] for n in every]], len(every) + 1, "time")):
            place = folder / str(number)
            write(apply(plan, ranges, keep), place, time.monotonic())
            h = stack.enter_context(edge.open(place, 1))
            edge.set_background(h, grey)
            calls.append(inferring(h, [nothing, nothing]))
        all_, *without = take_turns(calls)
    return {layer: round(ms - all_, 4) for layer, ms in zip(every, without, strict=True)}


def _print(rows: list[Row]) -> None:
    keys = [key for key in rows[0] if key != "layer"]
    width = max(len(row["layer"]) for row in rows)
    print(f"{'layer':<{width}}  " + "  ".join(f"{key:>11}" for key in keys))
    for row in rows:
        cells = ("-" if row[key] is None else f"{row[key]:.4f}" for key in keys)
        print(f"{row['layer']:<{width}}  " + "  ".join(f"{cell:>11}" for cell in cells))
