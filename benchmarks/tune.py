"""Search for the build that keeps two promises on this machine: frames a second and accuracy.

Candidates are networks x sizes x precisions x targets. Successive halving (Jamieson and Talwalkar
2016): all are measured on a few samples, the better half on four times as many, until RUNGS are
done. Every measurement is a line of a ledger that is only ever appended to, so a search that was
killed goes on.
"""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge.benchmarks.measuring.build_worker import BuildJob
from edge.benchmarks.measuring.machine import machine
from edge.benchmarks.measuring.process import Measured, process, take_turns
from edge.benchmarks.measuring.stats import summary
from edge.benchmarks.measuring.worker import load_samples
from edge.builder.write import Plan, write
from edge.errors import EdgeError
from edge.samples.sample import Samples, evenly_spaced, iter_samples

RUNGS = 3
GROWTH = 4
LEAST, FEWEST = 70, 16
"""Timed frames, and samples, of the first rung."""


@dataclass(frozen=True)
class Candidate:
    """network: a bundled one or an ONNX file; imgsz: as on the command line; sha256: of the
    network's file; form: of ConvTranspose in int8, empty for the target's own."""

    network: str
    imgsz: str
    precision: str
    target: str
    sha256: str
    form: str = ""

    @property
    def name(self) -> str:
        words = [Path(self.network).stem, self.precision, self.imgsz, self.target, self.form]
        return " ".join(word for word in words if word)

    @property
    def command(self) -> str:
        what = f"{self.network}" if self.network.endswith(".onnx") else f"--network {self.network}"
        return (
            f"edge build {what} --precision {self.precision} --target {self.target}"
            f" --imgsz {self.imgsz}" + (f" --form {self.form}" if self.form else "")
        )


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
    """The lines of one search: of this machine, these samples and these promises' scale."""

    def __init__(self, path: Path, claim: dict[str, Any]) -> None:
        self.path, self.claim = path, claim
        self.points: dict[tuple[Candidate, int], Point] = {}
        for line in path.read_text().splitlines() if path.is_file() else []:
            try:
                raw = json.loads(line)
                if raw["claim"] == claim:
                    self._keep(Point(Candidate(**raw["candidate"]), **raw["point"]))
            except (ValueError, KeyError, TypeError):
                continue  # a line that a kill cut short

    def _keep(self, point: Point) -> None:
        self.points[point.candidate, point.rung] = point

    def add(self, point: Point) -> None:
        self._keep(point)
        values = asdict(point)
        line = {"claim": self.claim, "candidate": values.pop("candidate"), "point": values}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as stream:
            stream.write(json.dumps(line) + "\n")


@dataclass(frozen=True)
class Promise:
    """fps: least frames a second; drop: most IoU below the best point of the search."""

    fps: float
    drop: float


def rank(points: Sequence[Point], promise: Promise) -> list[Point]:
    """The most promising first: those that keep both promises by accuracy, then the others by how
    far they are from it."""
    best = max(point.iou for point in points)

    def key(point: Point) -> tuple[float, float]:
        slow = max(0.0, promise.fps / point.fps - 1)
        wrong = max(0.0, best - point.iou - promise.drop)
        return slow + 20 * wrong, -point.iou

    return sorted(points, key=key)


def reason(point: Point, points: Sequence[Point], promise: Promise) -> str:
    """Why a point is not the one; empty where it keeps both promises."""
    best = max(other.iou for other in points)
    if point.fps < promise.fps:
        return f"{point.fps:.0f} fps, asked are {promise.fps:g}"
    if best - point.iou > promise.drop:
        return f"{best - point.iou:.4f} IoU below the best, allowed are {promise.drop:g}"
    return ""


def search(
    candidates: Sequence[Candidate],
    plan: Callable[[Candidate], Plan],
    samples: Samples,
    count: int,
    promise: Promise,
    ledger: Ledger,
    folder: Path,
    watch: Callable[[str, int, int], None],
) -> list[Point]:
    """The last measurement of every candidate, the recommended first.

    plan: makes a candidate's build. count: samples of the last rung. folder: for builds.
    """
    left = list(candidates)
    last: dict[Candidate, Point] = {}
    for rung in range(RUNGS):
        share = GROWTH ** (RUNGS - 1 - rung)
        todo = [c for c in left if (c, rung) not in ledger.points]
        if todo:
            file = _kept(samples, max(FEWEST, count // share), folder)
            for point in _measured(todo, plan, file, rung, folder, watch):
                ledger.add(point)
        last |= {c: ledger.points[c, rung] for c in left}
        order = rank([last[c] for c in left], promise)
        # Accuracy is promised against the best there is, so that goes along however slow it is.
        best = max(order, key=lambda point: point.iou).candidate
        left = [point.candidate for point in order[: max(1, len(order) // 2)]]
        left += [best] if best not in left else []
    done = sorted(last.values(), key=lambda point: -point.rung)
    final = [point for point in done if point.rung == RUNGS - 1]
    return rank(final, promise) + [point for point in done if point.rung < RUNGS - 1]


def _kept(samples: Samples, count: int, folder: Path) -> Path:
    pairs = list(iter_samples(samples, evenly_spaced(samples, count)))
    if not pairs:
        raise EdgeError(f"no sample of {samples.name} could be read")
    file = folder / f"samples-{count}.pickle"
    file.write_bytes(pickle.dumps(pairs))
    return file


TOGETHER = 6
"""Builds that are open at once: each holds a process and its memory."""


def _measured(
    todo: Sequence[Candidate],
    plan: Callable[[Candidate], Plan],
    samples: Path,
    rung: int,
    folder: Path,
    watch: Callable[[str, int, int], None],
) -> Iterator[Point]:
    """In groups that take turns; groups are compared by their fps alone."""
    known_depth = all(sample.depth is not None for _, sample in load_samples(samples))
    for begin in range(0, len(todo), TOGETHER):
        group = todo[begin : begin + TOGETHER]
        with ExitStack() as stack:
            workers: list[Measured] = []
            for candidate in group:
                place = folder / f"{candidate.name.replace(' ', '-')}-{candidate.sha256[:12]}"
                if not place.exists():
                    write(plan(candidate), place, time.monotonic())
                job = BuildJob(place, True, machine()["cores"], samples, folder)
                workers.append(stack.enter_context(process(job)))
                watch(f"rung {rung + 1}", begin + len(workers), len(todo))
            for worker in workers:
                worker.scores = worker.ask("accuracy", True)
            frames = LEAST * GROWTH**rung
            take_turns(workers, 0.1, 0.0, frames, lambda what, done, total: None)
            for candidate, worker in zip(group, workers, strict=True):
                yield _point(candidate, rung, worker, known_depth)


def _point(candidate: Candidate, rung: int, worker: Measured, known_depth: bool) -> Point:
    times = worker.times
    total = [a + b for a, b in zip(times["preprocess"], times["latency"], strict=True)]
    p50 = summary(total)["p50"]
    assert isinstance(p50, float)
    if "mask" not in worker.scores:
        raise EdgeError(f"{candidate.network} gives no mask; the search is judged by its IoU")
    depth = worker.scores.get("depth", {}).get("delta1") if known_depth else None
    return Point(candidate, rung, round(1e3 / p50, 1), p50, worker.scores["mask"]["iou"], depth)
