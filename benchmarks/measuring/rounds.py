"""Interleaved rounds: every process is timed once per round, in random order."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypedDict

from edge.benchmarks.measuring.process import Process, Progress
from edge.benchmarks.measuring.stats import summary
from edge.benchmarks.reporting.report import LatencySummary
from edge.interleave import interleave

ROUNDS = 10
WARMUP_FRAMES = 4
"""Least untimed frames, and how many are asked for at once."""


@dataclass
class FrameTimes:
    """Milliseconds of each frame by stage.

    preprocess: from the frame at its own size to what the work takes; latency: from there to the
    outputs; postprocess, of builds alone: from there to the blobs of the mask.
    """

    preprocess: list[float] = field(default_factory=list)
    latency: list[float] = field(default_factory=list)
    postprocess: list[float] = field(default_factory=list)

    def extend(self, other: FrameTimes) -> None:
        self.preprocess += other.preprocess
        self.latency += other.latency
        self.postprocess += other.postprocess

    @property
    def end_to_end(self) -> list[float]:
        """preprocess and latency together."""
        return [a + b for a, b in zip(self.preprocess, self.latency, strict=True)]

    @property
    def total_s(self) -> float:
        return (sum(self.preprocess) + sum(self.latency) + sum(self.postprocess)) / 1e3


class TimedWorker(Protocol):
    """What can be timed side by side with others."""

    def frames(self, count: int) -> FrameTimes:
        """Time the next `count` frames, starting over after the last sample."""


def frames(worker: TimedWorker, count: int) -> FrameTimes:
    """The next `count` frames of any worker, for `Process.call`."""
    return worker.frames(count)


@dataclass
class Timed:
    """A process and the times of its frames. most: at most so many frames, where few will do."""

    process: Process[TimedWorker]
    most: int | None = None
    times: FrameTimes = field(default_factory=FrameTimes)


@dataclass(frozen=True)
class Effort:
    """warmup, duration: seconds of untimed and of timed work of each process; iterations: least
    timed frames; seed: of the order within rounds."""

    warmup: float
    duration: float
    iterations: int
    seed: int = 0


def interleaved_rounds(timed: Sequence[Timed], effort: Effort, progress: Progress) -> int:
    """Time all processes in interleaved rounds into their `times`; returns how many rounds."""

    def run(entry: Timed, count: int) -> Callable[[], None]:
        return lambda: entry.times.extend(entry.process.call(frames, count))

    runs = [run(entry, _frames_per_round(entry, effort)) for entry in timed]
    interleave(runs, ROUNDS, effort.seed, lambda done: progress("speed", done, ROUNDS))
    return ROUNDS


def _frames_per_round(entry: Timed, effort: Effort) -> int:
    """Warm a process up and derive from its speed how many frames fill `effort`."""
    worked, warm = 0.0, 0
    while worked < effort.warmup or warm < WARMUP_FRAMES:
        times = entry.process.call(frames, WARMUP_FRAMES)
        warm += len(times.latency)
        worked += times.total_s
    count = max(effort.duration * warm / worked, effort.iterations)
    return math.ceil((count if entry.most is None else min(count, entry.most)) / ROUNDS)


class SpeedKeys(TypedDict):
    """The keys of the report that builds and peers share."""

    preprocess_ms: LatencySummary
    latency_ms: LatencySummary
    end_to_end_ms: LatencySummary
    throughput_fps: float
    rss_peak_mb: float


def speed_of(timed: Timed) -> SpeedKeys:
    """Summarize the times of a process that has ended."""
    end_to_end = timed.times.end_to_end
    return {
        "preprocess_ms": summary(timed.times.preprocess),
        "latency_ms": summary(timed.times.latency),
        "end_to_end_ms": summary(end_to_end),
        "throughput_fps": round(1e3 * len(end_to_end) / sum(end_to_end), 1),
        "rss_peak_mb": timed.process.rss_peak_mb,
    }
