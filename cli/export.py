"""`edge export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from edge.cli.options import Imgsz, Samples_, parse_imgsz, resized_samples
from edge.errors import EdgeError
from edge.progress import note


def export(
    checkpoint: Annotated[Path, typer.Argument(help="best.pt of a run of `edge train`.")],
    out: Annotated[
        Optional[Path], typer.Option(help="File to write.  [default: CHECKPOINT with .onnx]")
    ] = None,
    imgsz: Imgsz = None,
    samples: Samples_ = "rendered:16",
) -> None:
    """Write a checkpoint as ONNX and check it against torch on samples."""
    import onnx

    from edge.calibrate.samples import open_samples
    from edge.files import atomic_write
    from edge.train.export import TOLERANCE, difference
    from edge.train.export import export as to_onnx

    height, width = parse_imgsz(imgsz or "224")
    model = to_onnx(checkpoint, height, width)
    size = (height, width)
    found = difference(model, checkpoint, resized_samples(open_samples(samples), 16, size))
    note(f"largest difference from torch: {found:.1e} (allowed {TOLERANCE:.0e})")
    if found > TOLERANCE:
        raise EdgeError(
            f"the exported graph differs from torch by {found:.1e}, allowed is {TOLERANCE:.0e};"
            " nothing was written"
        )
    place = out or checkpoint.with_suffix(".onnx")
    with atomic_write(place) as draft:
        onnx.save(model, draft)
    print(place)
