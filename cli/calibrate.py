"""`edge calibrate`, and the ranges of `edge build`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from edge.bundled import DEFAULT
from edge.cli.options import Count, Imgsz, Method, Samples_, model_of, resized_samples
from edge.errors import UsageError
from edge.progress import note, track

if TYPE_CHECKING:
    import onnx

    from edge.calibrate.record import Ranges
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

    from edge.calibrate.methods import METHODS, SHAPED
    from edge.calibrate.observe import passes
    from edge.calibrate.record import key_of, load, observe
    from edge.calibrate.samples import open_samples
    from edge.graph.resize import image_size
    from edge.runtime.cores import usable_cores

    if method not in METHODS:
        raise UsageError(f"unknown --calib-method {method!r}; known: {', '.join(METHODS)}")
    size = image_size(model)
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
    fitted = resized_samples(source, count, size)
    steps = passes(METHODS[method] in SHAPED) * len(fitted)
    watch = track([None] * steps, steps, "calibrating")
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
    from edge.files import atomic_write
    from edge.graph.fold import split

    source, _ = model_of(model, network, imgsz)
    ranges = ranges_of(source, split(source), samples, calib_samples, calib_method)
    with atomic_write(out) as draft:
        draft.write_text(ranges.to_json())
    note(f"{len(ranges.ranges)} ranges from {ranges.key.count} samples of {ranges.key.samples}")
    print(out)
