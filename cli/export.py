"""`edge export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from edge.cli.options import Samples_, parse_imgsz, resized_samples
from edge.errors import EdgeError, UsageError
from edge.progress import note

CHECKED_SAMPLES = 16


def export(
    checkpoint: Annotated[Path, typer.Argument(help="best.pt of a run of `edge train`.")],
    out: Annotated[
        Optional[Path], typer.Option(help="File to write.  [default: CHECKPOINT with .onnx]")
    ] = None,
    imgsz: Annotated[
        str, typer.Option(help="Image size of the graph, WIDTHxHEIGHT or one number.")
    ] = "224",
    samples: Samples_ = "rendered:16",
) -> None:
    """Write a checkpoint as ONNX and check it against torch on samples."""
    import onnx

    from edge.calibrate.samples import open_samples
    from edge.files import atomic_write
    from edge.train.export import TOLERANCE, difference
    from edge.train.export import export as to_onnx

    path = out or checkpoint.with_suffix(".onnx")
    if path == checkpoint:
        raise UsageError(
            f"{checkpoint} is an exported network already", "give another file by --out"
        )
    height, width = parse_imgsz(imgsz)
    model = to_onnx(checkpoint, height, width)
    checked = resized_samples(open_samples(samples), CHECKED_SAMPLES, (height, width))
    largest = difference(model, checkpoint, checked)
    note(f"largest difference from torch: {largest:.1e} (allowed {TOLERANCE:.0e})")
    if not largest <= TOLERANCE:  # nan as well
        raise EdgeError(
            f"the exported graph differs from torch by {largest:.1e}, allowed is {TOLERANCE:.0e};"
            " nothing was written"
        )
    with atomic_write(path) as draft:
        onnx.save(model, draft)
    print(path)
