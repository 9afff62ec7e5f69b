"""What a peer is, and the registry of peers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge.benchmarks.measuring.rounds import FrameTimes
from edge.benchmarks.reporting.report import MaskScores


@dataclass(frozen=True)
class PeerRequest:
    """Which peers are measured, and on what.

    subtractors: --peers; files: ONNX files of --peer; sizes: (height, width) at which subtractors
    run; samples: pickled file.
    """

    subtractors: bool
    files: tuple[Path, ...]
    sizes: tuple[tuple[int, int], ...]
    threads: int
    samples: Path


@dataclass(frozen=True)
class PeerInfo:
    """A peer as the report names it. imgsz: (height, width)."""

    name: str
    runtime: str
    precision: str
    imgsz: tuple[int, int]
    path: str | None = None


class PeerWorker(Protocol):
    """A peer in its process."""

    info: PeerInfo

    def score(self) -> MaskScores | None:
        """Score the masks of all samples; None where outputs have no known meaning."""

    def frames(self, count: int) -> FrameTimes:
        """Time the next `count` frames."""


class PeerJob(Protocol):
    """What a peer is opened from, in the process that it gets."""

    def open(self) -> PeerWorker: ...


def describe(worker: PeerWorker) -> PeerInfo:
    """The worker's info, for `Process.call`."""
    return worker.info


def score(worker: PeerWorker) -> MaskScores | None:
    """The worker's scores, for `Process.call`."""
    return worker.score()


Jobs = Callable[[PeerRequest], Iterator[PeerJob]]
_registered: list[Jobs] = []


def register(jobs: Jobs) -> Jobs:
    """Add a peer: a function from a request to the jobs that it wants of this peer."""
    _registered.append(jobs)
    return jobs


def registered() -> list[Jobs]:
    """The registered peers."""
    return list(_registered)
