"""`edge calibrate`, and the ranges of `edge build`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from edge.bundled import DEFAULT
from edge.cli.options import Count, Imgsz, Method, Samples_, fitting, model_of
from edge.errors import UsageError
from edge.progress import note, tracked

if TYPE_CHECKING:
    import onnx

    from calibrate.record import Ranges
    from edge.graph.fold import Split


def ranges_of(
    model: onnx.ModelProto,
    split: Split,
    samples: str,
    count: int,
    method: str,
    given: Optional[Path] = None,
) -> Ranges:
    """The activation ranges of a model: those of a file if it belongs to them, else observed."""
    import hashlib

    from calibrate.methods import METHODS, SHAPED
    from calibrate.observe import passes
    from calibrate.record import key_of, load, observe
    from edge.graph.resize import sides
    from edge.runtime.cores import usable_cores
    from edge.samples.open import open_samples

    if method not in METHODS:
        raise UsageError(f"unknown --calib-method {method!r}; known: {', '.join(METHODS)}")
    size = sides(model)
    source = open_samples(samples)
    key = key_of(
        hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest(),
        source.fingerprint(),
        source.name,
        min(count, len(source)),
        method,
        size,
    )
    if given:
        return load(given, key)
    fitted = fitting(source, count, size)
    steps = passes(METHODS[method] in SHAPED) * len(fitted)
    watch = tracked([None] * steps, steps, "calibrating")
    return observe(split, fitted, key, usable_cores(), watch)


def calibrate(
    model: Annotated[
        Optional[str], typer.Argument(help="ONNX file or checkpoint.  [default: the bundled one]")
    ] = None,
    network: Annotated[str, typer.Option(help="Bundled network.")] = DEFAULT,
    samples: Samples_ = "rendered",
    imgsz: Imgsz = None,
    calib_method: Method = "minmax",
    calib_samples: Count = 64,
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("ranges.json"),
) -> None:
    """Record the ranges of every activation on samples, for `edge build --ranges`."""
    from edge.files import replacing
    from edge.graph.fold import split

    source, _ = model_of(model, network, imgsz)
    ranges = ranges_of(source, split(source), samples, calib_samples, calib_method)
    with replacing(out) as draft:
        draft.write_text(ranges.to_json())
    note(f"{len(ranges.ranges)} ranges from {ranges.key.count} samples of {ranges.key.samples}")
    print(out)
