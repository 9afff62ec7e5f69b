"""Options that several commands share, and how they are read."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from edge.errors import UsageError

if TYPE_CHECKING:
    import onnx

    from edge.calibrate.pipeline import BuildRequest
    from edge.samples.sample import Sample, Samples

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Samples_ = Annotated[
    str,
    typer.Option(
        "--samples",
        help="Labelled samples: rendered[:COUNT[:SEED]], a folder of labelled sequences, or a"
        " folder in the seed's layout.",
    ),
]
CalibrationSamples = Annotated[
    str,
    typer.Option(
        "--samples",
        help="Calibration samples: rendered[:COUNT[:SEED]], a folder of labelled sequences or in"
        " the seed's layout, or footage without labels: a video or a folder of frames.",
    ),
]
Imgsz = Annotated[
    Optional[str],
    typer.Option(help="Image size, WIDTHxHEIGHT or one number.  [default: the network's own]"),
]


def _known_cuda_backend(name: str) -> str:
    """UsageError where the name is unknown, whatever device the build is for."""
    from edge.runtime.cuda import check_name

    return check_name(name)


CudaBackend = Annotated[
    str,
    typer.Option(
        "--cuda-backend",
        help="Library that drives a GPU: cuda-python, pycuda or auto.",
        callback=_known_cuda_backend,
    ),
]
Method = Annotated[
    str,
    typer.Option("--calib-method", help="Calibration method: minmax, percentile, entropy or mse."),
]
Count = Annotated[
    int, typer.Option("--calib-samples", min=1, help="Number of calibration samples.")
]
Upsample = Annotated[
    Optional[str],
    typer.Option(
        "--upsample",
        help="Upsample operator of int8 graphs: convtranspose or depth_to_space."
        "  [default: the target's]",
    ),
]
SceneDepth = Annotated[
    Optional[Path],
    typer.Option(
        help="ONNX depth network of a single image (Depth Anything, MiDaS) that gives the"
        " depth of the scene instead of the network's own."
    ),
]
SceneDepthFormat = Annotated[
    Optional[str],
    typer.Option(
        help="NORMALISATION,MEANING[,WIDTHxHEIGHT] of --scene-depth: imagenet, 0..1, -1..1 or"
        " 0..255; inverse or metres.  [default: from its metadata]"
    ),
]

Build = Annotated[
    Optional[Path],
    typer.Option(help="Build folder.  [default: the bundled network in int8, built first]"),
]
Backgrounds = Annotated[
    Optional[list[Path]],
    typer.Option(help="Background image, one per source.  [default: made first]"),
]
Stabilize = Annotated[
    bool, typer.Option(help="Register frames of a trembling camera, by up to 4 of 224 pixels.")
]
Frames = Annotated[
    Optional[int], typer.Option(min=1, help="Stop after this many frames of each source.")
]
Threads = Annotated[
    Optional[int], typer.Option(min=1, help="Threads of the runtime.  [default: usable cores]")
]


def parse_imgsz(text: str) -> tuple[int, int]:
    """Read `224` or `320x192` (width x height) as (height, width)."""
    match = re.fullmatch(r"(\d+)(?:[xX](\d+))?", text)
    if not match or not 0 < int(match[1]) <= 4096 or not 0 < int(match[2] or 1) <= 4096:
        raise UsageError(f"--imgsz {text}: expected WIDTHxHEIGHT, as in 320x192, or one number")
    width = int(match[1])
    return int(match[2] or width), width


def network_of(request: BuildRequest) -> tuple[onnx.ModelProto, BuildRequest]:
    """Load the float network of a request, a checkpoint included; the request then has its name."""
    from dataclasses import replace

    from edge.builder.plan import USUAL_SIZE
    from edge.calibrate.pipeline import load_network

    path = Path(request.model or "")
    if path.suffix == ".pt":
        from edge.train.export import export

        network = export(path, *(request.imgsz or USUAL_SIZE))
        return network, replace(request, network=path.resolve().parent.name)
    network, name = load_network(request)
    return network, replace(request, network=name)


def resized_samples(samples: Samples, count: int, size: tuple[int, int]) -> list[Sample]:
    """At most `count` samples, evenly spaced, at (height, width)."""
    from edge.calibrate.labelled import read_labelled
    from edge.samples.sample import resize_sample

    return [resize_sample(sample, *size) for _, sample in read_labelled(samples, count)]


def given_options(ctx: typer.Context) -> set[str]:
    """Names of the parameters that the user typed."""
    sources = {name: ctx.get_parameter_source(name) for name in ctx.params}
    return {name for name, source in sources.items() if source and source.name == "COMMANDLINE"}


def refuse_unused(ctx: typer.Context, reason: str, *names: str) -> None:
    """Refuse options without effect.

    Args:
        ctx: The command's context.
        reason: Why they have no effect, as in "without --gate".
        names: Parameter names.

    Raises:
        UsageError: The user gave one of them.
    """
    typed = given_options(ctx)
    for parameter in ctx.command.params:
        if parameter.name in names and parameter.name in typed:
            option = max(parameter.opts, key=len)
            raise UsageError(f"{option} has no effect {reason}", "leave it out")


def command_line(words: Sequence[object]) -> str:
    """Join words to a command that a person can paste."""
    return shlex.join(str(word) for word in words)
