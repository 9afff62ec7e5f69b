"""`edge calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from edge.bundled import DEFAULT
from edge.cli.options import (
    CalibrationSamples,
    Count,
    Imgsz,
    Method,
    SceneDepth,
    SceneDepthFormat,
    network_of,
    parse_imgsz,
    refuse_unused,
)
from edge.progress import note


def calibrate(
    ctx: typer.Context,
    model: Annotated[
        Optional[str], typer.Argument(help="ONNX file or checkpoint.  [default: the bundled one]")
    ] = None,
    network: Annotated[str, typer.Option(help="Bundled network: nano, tiny or small.")] = DEFAULT,
    samples: CalibrationSamples = "rendered",
    imgsz: Imgsz = None,
    calib_method: Method = "minmax",
    calib_samples: Count = 64,
    scene_depth: SceneDepth = None,
    scene_depth_format: SceneDepthFormat = None,
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("ranges.json"),
) -> None:
    """Record the range of every activation on samples, for `edge build --ranges`."""
    from edge.calibrate.pipeline import BuildRequest, record
    from edge.files import atomic_write

    if model:
        refuse_unused(ctx, f"beside {model}", "network")
    request = BuildRequest(
        model=model,
        network=network,
        imgsz=parse_imgsz(imgsz) if imgsz else None,
        samples=samples,
        calib_method=calib_method,
        calib_samples=calib_samples,
        scene_depth=scene_depth,
        scene_depth_format=scene_depth_format,
    )
    graph, request = network_of(request)
    ranges = record(request, graph)
    with atomic_write(out) as draft:
        draft.write_text(ranges.to_json())
    note(f"{len(ranges.ranges)} ranges of {ranges.key.count} samples of {ranges.key.samples}")
    print(out)
