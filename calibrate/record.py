"""Activation ranges as a file: what was observed, and of which model, samples and method.

A record belongs to one model and one set of samples. It is refused for any other: ranges that fit
something else give a network that is wrong in silence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import edge
from edge.calibrate.methods import METHODS, SHAPED, Range
from edge.calibrate.observe import histograms
from edge.errors import EdgeError
from edge.graph.fold import Split
from edge.samples.sample import Sample

SCHEMA = "edge.ranges/1"


@dataclass(frozen=True)
class Key:
    """What the ranges belong to. samples: their fingerprint; indices count as part of it."""

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

    key: Key
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
) -> Key:
    """The key of ranges that would be recorded now, by this version of edge and its runtime."""
    import onnxruntime

    versions = {"edge": edge.__version__, "onnxruntime": onnxruntime.__version__}
    return Key(model_sha256, samples_sha256, samples, count, method, imgsz, versions)


def observe(
    split: Split,
    samples: Sequence[Sample],
    key: Key,
    threads: int,
    watch: Iterable[None] = (),
) -> Ranges:
    """Record the ranges of `key`. The samples must have the graph's size."""
    if not samples:
        raise EdgeError("no samples to calibrate with; int8 ranges are never guessed")
    choose = METHODS[key.method]
    found = histograms(split, samples, threads, choose in SHAPED, watch)
    return Ranges(key, {name: choose(histogram) for name, histogram in found.items()})


def load(path: Path, expected: Key) -> Ranges:
    """The ranges of a file, if they belong to `expected`; else EdgeError says what differs."""
    try:
        raw: dict[str, Any] = json.loads(path.read_text())
        if raw["schema"] != SCHEMA:
            raise KeyError(f"schema {raw['schema']!r}")
        values = raw["key"] | {"imgsz": tuple(raw["key"]["imgsz"])}
        key = Key(**values)
        ranges = {name: (float(low), float(high)) for name, (low, high) in raw["ranges"].items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EdgeError(f"{path} is not a file of activation ranges: {error}") from error
    for name in asdict(expected):
        found, wanted = getattr(key, name), getattr(expected, name)
        if found != wanted:
            raise EdgeError(
                f"{path} is stale: its {name} is {found}, this build has {wanted};"
                " record it again with `edge calibrate`"
            )
    return Ranges(key, ranges)
