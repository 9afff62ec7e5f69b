"""Search for the fastest build that meets a frame rate and an accuracy constraint on this machine.

Candidates are networks x sizes x precisions x targets. Successive halving (Jamieson and Talwalkar
2016): all are measured on a few samples, the better half on four times as many, until RUNGS are
done. Every measurement goes to a ledger, so a search that was killed goes on.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from edge.benchmarks.ledger import Candidate, Ledger, Point
from edge.benchmarks.measuring.build_worker import BuildJob, BuildWorker
from edge.benchmarks.measuring.process import Process, Progress, process
from edge.benchmarks.measuring.rounds import Effort, Timed, interleaved_rounds
from edge.benchmarks.measuring.samples import have_depth, load_samples
from edge.benchmarks.measuring.scores import accuracy
from edge.benchmarks.measuring.stats import summary
from edge.benchmarks.reporting.report import Scores
from edge.calibrate.pipeline import build
from edge.errors import AccuracyGateMissed, EdgeError, SpeedGateMissed
from edge.runtime.cores import usable_cores
from edge.samples.sample import Samples, evenly_spaced, iter_samples

RUNGS = 3
GROWTH = 4
LEAST_FRAMES, LEAST_SAMPLES = 70, 16
"""Timed frames, and samples, of the first rung."""
TOGETHER = 6
"""Builds that are open at once: each holds a process and its memory."""
USELESS_IOU = 0.5
"""Below it a build misses the accuracy gate even where it is the best there is."""


@dataclass(frozen=True)
class Constraints:
    """fps: least frames per second; drop: most IoU below the best point of the search, which
    includes FP32 of the recommended build."""

    fps: float
    drop: float


def rank(points: Sequence[Point], constraints: Constraints) -> list[Point]:
    """The best first: points that meet both constraints by accuracy, then the others by how far
    they miss them."""
    best = max(point.iou for point in points)

    def order(point: Point) -> tuple[float, float]:
        slow = max(0.0, constraints.fps / point.fps - 1)
        wrong = max(0.0, best - point.iou - constraints.drop)
        return slow + 20 * wrong, -point.iou

    return sorted(points, key=order)


Missed = SpeedGateMissed | AccuracyGateMissed


def missed(point: Point, points: Sequence[Point], constraints: Constraints) -> Missed | None:
    """The constraint that a point misses; None where it meets both. points: those of its rung."""
    best = max(points, key=lambda other: other.iou)
    if point.fps < constraints.fps:
        return SpeedGateMissed(f"{point.fps:.0f} fps, asked are {constraints.fps:g}")
    if best.iou - point.iou > constraints.drop:
        whose = "its FP32" if best.candidate == fp32_of(point.candidate) else "the best"
        return AccuracyGateMissed(
            f"{best.iou - point.iou:.4f} IoU below {whose}, allowed are {constraints.drop:g}"
        )
    if point.iou < USELESS_IOU:
        return AccuracyGateMissed(
            f"IoU {point.iou:.3f} only: its mask is of little use",
            "give --samples that are like its scenes, or train a network on such: edge train",
        )
    return None


def fp32_of(candidate: Candidate) -> Candidate:
    """The FP32 build that a candidate is compared with."""
    return replace(candidate, precision="fp32", upsample=None)


def search(
    candidates: Sequence[Candidate],
    samples: Samples,
    count: int,
    constraints: Constraints,
    ledger: Ledger,
    folder: Path,
    progress: Progress,
) -> list[Point]:
    """Measure the candidates.

    Args:
        candidates: What is tried.
        samples, count: What it is measured on, and how many of them on the last rung.
        constraints: What it is ranked by.
        ledger: Measurements of earlier runs, to which new ones are added.
        folder: For builds.
        progress: Called with the rung, the builds opened and their number.

    Returns:
        The last measurement of every candidate, the recommended first. FP32 of the recommended is
        among them, behind the other points of its rung, where it was not asked for.
    """

    def measured(todo: Sequence[Candidate], rung: int) -> dict[Candidate, Point]:
        missing = [c for c in todo if (c, rung) not in ledger.points]
        if missing:
            share = GROWTH ** (RUNGS - 1 - rung)
            file = _pickled(samples, max(LEAST_SAMPLES, count // share), folder)
            for point in _measure(missing, file, rung, folder, progress):
                ledger.add(point)
        return {c: ledger.points[c, rung] for c in todo}

    left = list(candidates)
    last: dict[Candidate, Point] = {}
    for rung in range(RUNGS):
        last |= measured(left, rung)
        order = rank([last[c] for c in left], constraints)
        # The accuracy constraint is relative to the best, so the best stays however slow it is.
        best = max(order, key=lambda point: point.iou).candidate
        left = [point.candidate for point in order[: max(1, len(order) // 2)]]
        left += [best] if best not in left else []
    final = [point for point in last.values() if point.rung == RUNGS - 1]
    best = rank(final, constraints)[0].candidate
    last |= measured([fp32_of(best)], RUNGS - 1)
    done = sorted(last.values(), key=lambda point: -point.rung)
    asked = [p for p in done if p.rung == RUNGS - 1 and p.candidate in candidates]
    others = [p for p in done if p.candidate not in {each.candidate for each in asked}]
    return rank(asked, constraints) + others


def _pickled(samples: Samples, count: int, folder: Path) -> Path:
    pairs = list(iter_samples(samples, evenly_spaced(samples, count)))
    if not pairs:
        raise EdgeError(f"no sample of {samples.name} could be read")
    file = folder / f"samples-{count}.pickle"
    file.write_bytes(pickle.dumps(pairs))
    return file


def _measure(
    todo: Sequence[Candidate], samples: Path, rung: int, folder: Path, progress: Progress
) -> Iterator[Point]:
    """In interleaved groups; groups are compared by their fps alone."""
    known_depth = have_depth(load_samples(samples))
    for begin in range(0, len(todo), TOGETHER):
        group = todo[begin : begin + TOGETHER]
        with ExitStack() as stack:
            workers: list[Process[BuildWorker]] = []
            for candidate in group:
                place = folder / f"{candidate.name.replace(' ', '-')}-{candidate.sha256[:12]}"
                if not place.exists():
                    build(candidate.request, place)
                job = BuildJob(place, True, usable_cores(), samples, folder)
                workers.append(stack.enter_context(process(job)))
                progress(f"rung {rung + 1}", begin + len(workers), len(todo))
            scores = [worker.call(accuracy, reference=True) for worker in workers]
            timed = [Timed(worker) for worker in workers]
            effort = Effort(0.1, 0.0, LEAST_FRAMES * GROWTH**rung)
            interleaved_rounds(timed, effort, lambda stage, done, total: None)
            for candidate, entry, score in zip(group, timed, scores, strict=True):
                yield _point(candidate, rung, entry, score, known_depth)


def _point(
    candidate: Candidate, rung: int, timed: Timed, scores: Scores, known_depth: bool
) -> Point:
    p50 = summary(timed.times.end_to_end).p50
    assert p50 is not None  # LEAST_FRAMES are enough
    if scores.mask is None:
        raise EdgeError(f"{candidate.network} gives no mask; the search compares IoU")
    if scores.mask.iou is None:
        raise EdgeError(
            "the samples have no foreground; the search compares IoU",
            "give --samples with foreground",
        )
    delta1 = scores.depth.delta1 if known_depth and scores.depth else None
    return Point(candidate, rung, round(1e3 / p50, 1), p50, scores.mask.iou, delta1)
