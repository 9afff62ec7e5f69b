"""Options that several commands share, and how they are read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from edge.errors import EdgeError, UsageError

if TYPE_CHECKING:
    import onnx

    from edge.samples.sample import Sample, Samples

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Samples_ = Annotated[
    str,
    typer.Option(
        "--samples",
        help="rendered[:COUNT[:SEED]], or a folder: labelled sequences or the seed's layout.",
    ),
]
Imgsz = Annotated[
    Optional[str],
    typer.Option(help="WIDTHxHEIGHT of the pictures, or one number.  [default: the network's own]"),
]
CudaBackend = Annotated[
    str,
    typer.Option("--cuda-backend", help="What drives a GPU: cuda-python, pycuda, or auto."),
]
Method = Annotated[str, typer.Option("--calib-method", help="minmax, percentile, entropy or mse.")]
Count = Annotated[int, typer.Option("--calib-samples", min=1, help="Samples that give the ranges.")]


def parse_imgsz(text: str) -> tuple[int, int]:
    """`224` or `320x192` (width x height) as (height, width)."""
    found = re.fullmatch(r"(\d+)(?:[xX](\d+))?", text)
    if not found or not 0 < int(found[1]) <= 4096 or not 0 < int(found[2] or 1) <= 4096:
        raise UsageError(f"--imgsz {text}: expected WIDTHxHEIGHT, as in 320x192, or one number")
    width = int(found[1])
    return int(found[2] or width), width


def model_of(
    source: Optional[str], network: str, imgsz: Optional[str]
) -> tuple[onnx.ModelProto, str]:
    """The float network that a command is about, at the size asked for, and its name.

    source: an ONNX file or a checkpoint; None is the bundled network of that name.
    """
    import onnx
    from google.protobuf.message import DecodeError

    from edge.bundled import bundled
    from edge.graph.contract import conform
    from edge.graph.resize import image_size, resize_network

    path = Path(source) if source else bundled(network)
    if not path.is_file():
        raise EdgeError(f"no file {path}; expected an ONNX network or a checkpoint (.pt)")
    size = parse_imgsz(imgsz) if imgsz else None
    if path.suffix == ".pt":
        from edge.train.export import export

        return export(path, *(size or (224, 224))), path.resolve().parent.name
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "cannot be parsed"
        raise EdgeError(f"{path} is not an ONNX network: {reason}") from error
    try:
        model = conform(model)
    except EdgeError as error:
        raise EdgeError(f"{path} breaks the contract of a network: {error}") from error
    return resize_network(model, *(size or image_size(model))), path.stem


def read_samples(samples: Samples, count: int) -> list[tuple[str, Sample]]:
    """At most `count` (sequence, sample), evenly spread; those that cannot be read are named."""
    from edge.progress import track
    from edge.samples.sample import evenly_spaced, iter_samples

    indices = evenly_spaced(samples, count)
    found = list(track(iter_samples(samples, indices), len(indices), "reading samples"))
    report_skipped(samples.skipped)
    if not found:
        raise EdgeError(f"no sample of {samples.name} could be read")
    return found


def resized_samples(samples: Samples, count: int, size: tuple[int, int]) -> list[Sample]:
    """At most `count` samples, evenly spread, at (height, width)."""
    from edge.samples.sample import resize_sample

    return [resize_sample(sample, *size) for _, sample in read_samples(samples, count)]


def report_skipped(skipped: dict[str, str], most: int = 5) -> None:
    """Name what could not be read, with the reason, and count it."""
    from edge.progress import note

    for name, reason in list(skipped.items())[:most]:
        note(f"skipped {name}: {reason}")
    if skipped:
        note(f"{len(skipped)} could not be read and were left out")


def command_line(words: Sequence[object]) -> str:
    """A command that a person can paste."""
    import shlex

    return shlex.join(str(word) for word in words)
