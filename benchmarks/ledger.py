"""Measurements of a search, one per line of a file that is only ever appended to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge import strict_json
from edge.benchmarks.reporting.codec import decode, encode
from edge.calibrate.pipeline import BuildRequest
from edge.files import SideFiles, append


@dataclass(frozen=True)
class Candidate:
    """A build that a search tries.

    network: a bundled one or an ONNX file; imgsz: (height, width); sha256: of the network's file;
    upsample: of int8 graphs, None for the target's own.
    """

    network: str
    imgsz: tuple[int, int]
    precision: str
    target: str
    sha256: str
    upsample: str | None = None

    @property
    def name(self) -> str:
        height, width = self.imgsz
        size = f"{width}" if width == height else f"{width}x{height}"
        words = [Path(self.network).stem, self.precision, size, self.target, self.upsample]
        return " ".join(word for word in words if word)

    @property
    def request(self) -> BuildRequest:
        """The request that builds it."""
        file = self.network.endswith(".onnx")
        return BuildRequest(
            model=self.network if file else None,
            network=Path(self.network).stem,
            target=self.target,
            precision=self.precision,
            imgsz=self.imgsz,
            upsample=self.upsample,
        )

    @property
    def command(self) -> str:
        """The shell command that builds it."""
        return self.request.command()


@dataclass(frozen=True)
class Point:
    """A candidate as it was measured on a rung. fps: of the median end to end; delta1: None where
    the samples have no depth."""

    candidate: Candidate
    rung: int
    fps: float
    p50_ms: float
    iou: float
    delta1: float | None


class Ledger:
    """The points of one search. key: what they belong to (machine, samples, version); lines of
    other keys are left alone. files: whether the file could be written."""

    def __init__(self, path: Path, key: dict[str, Any]) -> None:
        self.path, self.key = path, key
        self.files = SideFiles()
        self.points: dict[tuple[Candidate, int], Point] = {}
        for line in path.read_text(errors="replace").splitlines() if path.is_file() else []:
            try:
                raw = strict_json.parse(line)
                if raw["key"] == key:
                    self._keep(decode(Point, raw["point"]))
            except (ValueError, KeyError, TypeError):
                continue  # a line that a kill cut short

    def _keep(self, point: Point) -> None:
        self.points[point.candidate, point.rung] = point

    def add(self, point: Point) -> None:
        """Keep a point and append it to the file."""
        self._keep(point)
        line = json.dumps({"key": self.key, "point": encode(point)}) + "\n"
        with self.files.attempt():
            append(self.path, line)
