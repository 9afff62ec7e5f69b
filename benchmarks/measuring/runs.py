"""Builds and peers in their processes, and what was measured of them so far."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from edge import manifest as manifests
from edge.benchmarks.measuring.build_worker import BuildJob, BuildWorker
from edge.benchmarks.measuring.overhead import overhead, stages
from edge.benchmarks.measuring.pace import paced
from edge.benchmarks.measuring.process import Process, process
from edge.benchmarks.measuring.references import Pair, display_names
from edge.benchmarks.measuring.rounds import Timed
from edge.benchmarks.measuring.scores import accuracy, flicker, gated
from edge.benchmarks.measuring.startup import cold
from edge.benchmarks.measuring.stats import ENOUGH
from edge.benchmarks.peers import PeerWorker, describe, score
from edge.benchmarks.reporting.images import Answer
from edge.benchmarks.reporting.report import (
    Cameras,
    Cold,
    Energy,
    GateScores,
    MaskScores,
    Overhead,
    Paced,
    Scores,
)

OVERHEAD_FRAMES, COMPUTE_FRAMES = 2000, 300


class BuildRun:
    """A build in its process, with its background folded or not.

    Attributes:
        name: As displayed; reference: that of its FP32.
        made: Whether the build was made for this run, in a folder that will be gone.
    """

    def __init__(
        self, opened: Process[BuildWorker], job: BuildJob, name: str, reference: str, made: bool
    ) -> None:
        self.process, self.path, self.folded = opened, job.build, job.fold
        self.name, self.reference, self.made = name, reference, made
        self.manifest = opened.call(BuildWorker.manifest)
        # Without folding a build is there for one ratio: enough frames for a p90 will do.
        self.timed = Timed(opened, None if job.fold else ENOUGH["p90"])
        self.cold: Cold | None = None
        self.scores = Scores()
        self.flicker: float | None = None
        self.gate: GateScores | None = None
        self.paced: Paced | None = None
        self.overhead: Overhead | None = None
        self.stages: dict[str, list[float]] = {}
        self.energy: dict[str, Energy] = {}
        self.gpu_mem_peak_mb: float | None = None
        self.cameras: Cameras | None = None

    @property
    def is_reference(self) -> bool:
        """Whether it is what the builds of its network are compared with."""
        return self.folded and self.name == self.reference

    def measure_cold(self) -> None:
        self.cold = self.process.call(cold)

    def measure_accuracy(self) -> None:
        self.scores = self.process.call(accuracy, reference=self.is_reference)
        if self.folded:
            self.flicker = self.process.call(flicker)

    def measure_gate(self, level: float, max_age_ms: float) -> None:
        self.gate = self.process.call(gated, level, max_age_ms)

    def measure_paced(self, fps: float, count: int) -> None:
        self.paced = self.process.call(paced, fps, count)

    def measure_after_rounds(self, precise_overhead: bool) -> None:
        """Energy and memory of the rounds; stages of a frame."""
        self.energy = self.process.call(BuildWorker.energy)
        self.gpu_mem_peak_mb = self.process.call(BuildWorker.gpu_mem_peak_mb)
        if self.folded:
            count = OVERHEAD_FRAMES if precise_overhead else COMPUTE_FRAMES
            self.overhead = self.process.call(overhead, count)
            self.stages = self.process.call(stages, COMPUTE_FRAMES)

    def answers(self, indices: list[int]) -> list[Answer]:
        """Mask and depth of the samples at `indices`."""
        return self.process.call(BuildWorker.answers, indices)


class PeerRun:
    """A peer in its process."""

    def __init__(self, opened: Process[PeerWorker]) -> None:
        self.process = opened
        self.about = opened.call(describe)
        self.timed = Timed(opened)
        self.mask: MaskScores | None = None

    def measure_accuracy(self) -> None:
        self.mask = self.process.call(score)


def open_builds(
    pairs: Sequence[Pair],
    given: Sequence[Path],
    threads: int,
    cuda: str,
    folder: Path,
    samples: Path,
    stack: ExitStack,
) -> list[BuildRun]:
    """Open each build of `pairs` in a process and, where it has a background graph, once more with
    that run at every frame. folder: for depth maps; builds in it were made for this run."""
    names = display_names(pairs, given)
    runs = []
    for path, reference in pairs:
        depths = folder / "depths" / str([*names].index(reference))
        depths.mkdir(parents=True, exist_ok=True)
        for fold in (True, False) if manifests.read(path).scene else (True,):
            job = BuildJob(path, fold, threads, samples, depths, cuda)
            opened = stack.enter_context(process(job))
            made = folder in path.parents
            runs.append(BuildRun(opened, job, names[path], names[reference], made))
    return runs
