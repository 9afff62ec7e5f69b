"""Activation ranges as a file, with the key that they belong to: model, samples and method.

Ranges are refused for any other key, because ranges of something else make a wrong network without
an error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import edge
from edge import strict_json
from edge.calibrate import methods
from edge.calibrate.methods import Range
from edge.calibrate.observe import histograms
from edge.errors import EdgeError
from edge.graph.fold import Split
from edge.samples.sample import Sample

SCHEMA = "edge.ranges/1"


@dataclass(frozen=True)
class RangesKey:
    """What ranges belong to: sha256 of model and samples, method, size and versions."""

    model_sha256: str
    samples_sha256: str
    samples: str
    count: int
    method: str
    imgsz: tuple[int, int]
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Ranges:
    """(low, high) of each float tensor of the frame graph, by its name."""

    key: RangesKey
    ranges: Mapping[str, Range]

    def to_json(self) -> str:
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1) + "\n"


def key_of(
    model_sha256: str,
    samples_sha256: str,
    samples: str,
    count: int,
    method: str,
    imgsz: tuple[int, int],
) -> RangesKey:
    """The key of ranges that this version of edge and ONNX Runtime would record."""
    from edge.runtime.ort import ort

    versions = {"edge": edge.__version__, "onnxruntime": ort.__version__}
    return RangesKey(model_sha256, samples_sha256, samples, count, method, imgsz, versions)


def record_ranges(
    split: Split,
    samples: Sequence[Sample],
    key: RangesKey,
    threads: int,
    watch: Iterable[None] = (),
) -> Ranges:
    """Record the ranges of `key` on samples of the graph's size.

    Args:
        split: The float graphs.
        samples: At least one.
        key: What the ranges belong to; its method chooses the range of each tensor.
        threads: Of ONNX Runtime.
        watch: Advanced once per sample and pass (a progress bar).
    """
    if not samples:
        raise EdgeError("no samples to calibrate with", "int8 ranges are never guessed")
    method = methods.get(key.method)
    recorded = histograms(split, samples, threads, method.needs_bins, watch)
    return Ranges(key, {name: method.choose(values) for name, values in recorded.items()})


def load_ranges(path: Path, expected: RangesKey) -> Ranges:
    """Read the ranges of a file that belongs to `expected`.

    Raises:
        EdgeError: The file is no file of ranges, or its key differs; the message says where.
    """
    try:
        raw: dict[str, Any] = strict_json.parse(path.read_text())
        if raw["schema"] != SCHEMA:
            raise ValueError("another schema")
        key = RangesKey(**(raw["key"] | {"imgsz": tuple(raw["key"]["imgsz"])}))
        ranges = {name: (float(low), float(high)) for name, (low, high) in raw["ranges"].items()}
        if wrong := [name for name, pair in ranges.items() if not _is_range(*pair)]:
            raise ValueError(wrong[0])
    except OSError as error:
        raise EdgeError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise EdgeError(
            f"{path} is not a file of activation ranges of schema {SCHEMA}",
            "`edge calibrate` records one",
        ) from error
    for name in asdict(expected):
        actual, wanted = getattr(key, name), getattr(expected, name)
        if actual != wanted:
            raise EdgeError(
                f"{path} is stale: its {name} is {actual}, this build has {wanted}",
                "record it again with `edge calibrate`",
            )
    return Ranges(key, ranges)


def _is_range(low: float, high: float) -> bool:
    return math.isfinite(low) and math.isfinite(high) and low <= high
