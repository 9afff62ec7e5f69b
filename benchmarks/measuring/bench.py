"""Measure builds side by side: a process each, interleaved, in random order, on the same frames."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge import manifest as manifests
from edge.benchmarks.measuring.build_worker import BuildJob
from edge.benchmarks.measuring.cameras import CAMERA, run_cameras
from edge.benchmarks.measuring.entries import build_entry, frame_records, peer_entry
from edge.benchmarks.measuring.machine import machine
from edge.benchmarks.measuring.process import Progress, process
from edge.benchmarks.measuring.references import with_references
from edge.benchmarks.measuring.rounds import Effort, interleaved_rounds
from edge.benchmarks.measuring.runs import BuildRun, PeerRun, open_builds
from edge.benchmarks.measuring.samples import keep_samples, load_samples
from edge.benchmarks.measuring.threads import fewest, time_threads
from edge.benchmarks.measuring.watcher import Watcher
from edge.benchmarks.peers import PeerRequest, peer_jobs
from edge.benchmarks.reporting.images import Group, grid, groups
from edge.benchmarks.reporting.report import FrameRecord, Method, Report
from edge.runtime.cores import usable_cores
from edge.samples.sample import FOREGROUND, Image
from edge.scene.gate import MAX_AGE_MS

LEAST_PACED = 15
SHOWN = 5
"""Rows of the image."""


@dataclass(frozen=True)
class Outcome:
    """report: docs/bench.md; shown: masks and depth of some frames by build; frames: every timed
    frame."""

    report: Report
    shown: list[list[Group]]
    frames: list[FrameRecord]

    @property
    def image(self) -> Image:
        """The shown frames in one image."""
        return grid(self.shown)


@dataclass(frozen=True)
class Settings:
    """What is measured, and for how long.

    samples, count: the source, and at most how many of it.
    duration: seconds of timed work per build; iterations: least timed frames per build; warmup:
        seconds of untimed work before.
    peers, peer_files: also measure OpenCV's subtractors, and ONNX files.
    cameras, camera_fps: also run each build with so many cameras at once.
    gate, max_age_ms: also score folded builds behind a gate (edge.scene.gate).
    fps: rate of the frames in the paced mode.
    overhead: measure on more frames what edge.infer adds to the backend's call.
    tune_threads: take the number of threads with which the one given build is fastest.
    cuda: library that drives a GPU (edge.open).
    """

    samples: str = "rendered"
    count: int = 200
    threads: int = field(default_factory=usable_cores)
    warmup: float = 0.2
    duration: float = 2.0
    iterations: int = 700
    seed: int = 0
    peers: bool = False
    peer_files: tuple[Path, ...] = ()
    cameras: int = 0
    camera_fps: float = 15.0
    gate: float | None = None
    max_age_ms: float = MAX_AGE_MS
    overhead: bool = False
    tune_threads: bool = False
    fps: float = 30.0
    cuda: str = "auto"


def bench(builds: Sequence[Path], settings: Settings, progress: Progress) -> Outcome:
    """Measure `builds` and their FP32 counterparts, and the peers that `settings` names.

    Args:
        builds: Build folders.
        settings: What is measured.
        progress: Called with the stages samples, threads, start, accuracy, speed, paced, cameras.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-bench-")))
        pairs = with_references(builds, folder)
        file = folder / "samples.pickle"
        samples = keep_samples(settings.samples, settings.count, file, progress)
        threads_ms: dict[int, float] = {}
        if settings.tune_threads:
            job = BuildJob(builds[0], True, 1, file, folder, settings.cuda)
            threads_ms = time_threads(job, settings.iterations, progress)
            settings = replace(settings, threads=fewest(threads_ms))
        runs = open_builds(pairs, builds, settings.threads, settings.cuda, folder, file, stack)
        peers = _open_peers(builds, settings, file, stack)

        _before_rounds(runs, peers, settings, progress)
        measured: list[BuildRun | PeerRun] = [*runs, *peers]
        watcher = Watcher([each.process.pid for each in measured])
        effort = Effort(settings.warmup, settings.duration, settings.iterations, settings.seed)
        rounds = interleaved_rounds([each.timed for each in measured], effort, progress)
        folded = [run for run in runs if run.folded]
        for step, run in enumerate(folded):
            progress("paced", step, len(folded))
            count = max(LEAST_PACED, round(settings.fps * settings.duration))
            run.measure_paced(settings.fps, count)
        watched = watcher.result()
        for run in runs:
            run.measure_after_rounds(settings.overhead)
        shown = _shown(file, folded)
        for each in measured:
            each.process.end()
        if settings.cameras:
            _run_cameras(runs, builds, settings, file, progress)

        references = {run.name: run.scores for run in runs if run.is_reference}
        method = Method(
            seed=settings.seed,
            rounds=rounds,
            warmup_s=settings.warmup,
            overhead=settings.overhead,
            threads_tried_ms={str(n): round(ms, 4) for n, ms in threads_ms.items()},
        )
        report = Report(
            machine=machine(settings.threads),
            samples=samples,
            method=method,
            watch=watched,
            builds=tuple(
                build_entry(run, references[run.reference], samples.depth == "truth")
                for run in sorted(runs, key=lambda run: not run.folded)
            ),
            peers=tuple(map(peer_entry, peers)) or None,
        )
        return Outcome(report, shown, list(frame_records(runs, peers)))


def _open_peers(
    builds: Sequence[Path], settings: Settings, samples: Path, stack: ExitStack
) -> list[PeerRun]:
    sizes = sorted({manifests.read(path).imgsz for path in builds})
    request = PeerRequest(
        subtractors=settings.peers,
        files=settings.peer_files,
        sizes=(CAMERA, *sizes),
        threads=settings.threads,
        samples=samples,
    )
    return [PeerRun(stack.enter_context(process(job))) for job in peer_jobs(request)]


def _before_rounds(
    runs: Sequence[BuildRun], peers: Sequence[PeerRun], settings: Settings, progress: Progress
) -> None:
    """Cold starts, then the accuracy of all."""
    for step, run in enumerate(runs):
        progress("start", step, len(runs))
        if run.folded:
            run.measure_cold()
    # FP32 comes first: where the samples have no depth, its own is the truth.
    each: list[BuildRun | PeerRun] = [*runs, *peers]
    for step, measured in enumerate(each):
        progress("accuracy", step, len(each))
        measured.measure_accuracy()
    for run in runs:
        if settings.gate is not None and run.folded:
            run.measure_gate(settings.gate, settings.max_age_ms)


def _run_cameras(
    runs: Sequence[BuildRun],
    builds: Sequence[Path],
    settings: Settings,
    samples: Path,
    progress: Progress,
) -> None:
    by_path = {run.path: run for run in runs if run.folded}
    for step, path in enumerate(builds):
        progress("cameras", step, len(builds))
        by_path[path].cameras = run_cameras(
            path, settings.cameras, settings.camera_fps, samples, settings.cuda
        )


def _shown(file: Path, runs: Sequence[BuildRun]) -> list[list[Group]]:
    """Masks and depth of some frames by build, and how they differ from its FP32's."""
    samples = [sample for _, sample in load_samples(file)]
    # Of evenly spaced samples, those with foreground come first.
    order = sorted(range(len(samples)), key=lambda i: not (samples[i].mask == FOREGROUND).any())
    busy = sum(bool((sample.mask == FOREGROUND).any()) for sample in samples) or len(samples)
    chosen = [order[i * busy // SHOWN] for i in range(min(SHOWN, busy))]
    by_build = {run.name: run.answers(chosen) for run in runs}
    references = {run.name: run.reference for run in runs}
    return [
        groups(samples[i], {name: each[row] for name, each in by_build.items()}, references)
        for row, i in enumerate(chosen)
    ]
