"""Measure builds side by side: one process each, in turn, in random order, on the same frames."""

from __future__ import annotations

import pickle
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import onnx

from edge import manifest as manifests
from edge.benchmarks.measuring.build_worker import BuildJob
from edge.benchmarks.measuring.cameras import CAMERA, CamerasJob
from edge.benchmarks.measuring.machine import machine
from edge.benchmarks.measuring.process import Measured, Watch, process, take_turns
from edge.benchmarks.measuring.stats import summary
from edge.benchmarks.measuring.threads import fewest, tried
from edge.benchmarks.measuring.watcher import Watcher
from edge.benchmarks.measuring.worker import Job
from edge.benchmarks.peers.peers import RUNS, SUBTRACTORS, OnnxJob, SubtractorJob
from edge.benchmarks.reporting.pictures import comparison_grid
from edge.builder.write import NETWORK, planned, write
from edge.calibrate.samples import open_samples
from edge.errors import EdgeError, UsageError
from edge.runtime.cores import usable_cores
from edge.samples.sample import FOREGROUND, Image, evenly_spaced, iter_samples
from edge.scene.gate import MAX_AGE_MS
from edge.targets.table import TARGETS

SCHEMA = "edge.report/2"


@dataclass(frozen=True)
class Outcome:
    """report: docs/bench.md; picture: what the builds made of some frames; samples: every timed
    frame, in milliseconds."""

    report: dict[str, Any]
    picture: Image
    samples: list[dict[str, Any]]


@dataclass(frozen=True)
class Settings:
    """samples, count: what is measured on, and at most how many of them.

    duration: seconds of timed work per build; iterations: least timed frames per build; warmup:
    seconds of untimed work before. Both folded and unfolded builds get the same.
    peers, peer_files: also measure OpenCV's subtractors, and ONNX files.
    cameras, camera_fps: also run each build with so many cameras at once.
    gate, max_age_ms: also score folded builds behind a gate (edge.scene.gate).
    fps: rate of the frames in the paced mode.
    overhead: measure on more frames what the runtime's call adds to the backend's.
    tune_threads: take the number of threads that the first build is quickest with.
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


def reference_build(build: Path, folder: Path) -> Path:
    """FP32 of the same network for the same target, made into `folder`."""
    manifest = manifests.read(build)
    target = TARGETS[manifest.target]
    source = onnx.load(build / NETWORK)
    plan = planned(source, manifest.network, target, "fp32", "edge bench makes it for itself")
    # Networks of one name, old and new, each have their own.
    place = folder / str(plan.model["sha256"])[:16] / plan.name
    if not place.exists():
        write(plan, place, time.monotonic())
    return place


def _with_references(builds: Sequence[Path], folder: Path) -> list[tuple[Path, Path]]:
    """Each build and its FP32, FP32 first and once: those given, and those that had to be made."""
    kinds = {path: manifests.read(path) for path in builds}
    pairs: list[tuple[Path, Path]] = []
    for path, manifest in kinds.items():
        given = [
            other
            for other, found in kinds.items()
            if found.precision == "fp32"
            and (found.model["sha256"], found.target) == (manifest.model["sha256"], manifest.target)
        ]
        reference = given[0] if given else reference_build(path, folder)
        for pair in ((reference, reference), (path, reference)):
            if pair not in pairs:
                pairs.append(pair)
    return pairs


def _names(pairs: Sequence[tuple[Path, Path]], given: Sequence[Path]) -> dict[Path, str]:
    """What each build is called: its own name or, where several have that, its path too."""
    own = {path: manifests.read(path).name for path, _ in pairs}
    owners = {reference: path for path, reference in reversed(pairs) if path != reference}
    builds = Counter(own.values())

    def name_of(path: Path) -> str:
        if builds[own[path]] == 1:
            return own[path]
        return str(path) if path in given else f"{own[path]} of {owners[path]}"

    return {path: name_of(path) for path in own}


def bench(builds: Sequence[Path], settings: Settings, watch: Watch) -> Outcome:
    """Measure `builds` and their FP32 counterparts, and the peers that `settings` names."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-bench-")))
        pairs = _with_references(builds, folder)
        names = _names(pairs, builds)
        frames = folder / "samples.pickle"
        samples = _keep_samples(settings, frames, watch)
        threads_ms: dict[int, float] = {}
        if settings.tune_threads:
            job = BuildJob(pairs[-1][0], True, 1, frames, folder, settings.cuda)
            threads_ms = tried(job, settings.iterations, watch)
            settings = replace(settings, threads=fewest(threads_ms))
        ours: dict[tuple[Path, bool], Measured] = {}
        references: dict[Path, Path] = dict(pairs)
        for path, reference in pairs:
            depths = folder / "depths" / str([*names].index(reference))
            depths.mkdir(parents=True, exist_ok=True)
            for fold in (True, False) if manifests.read(path).scene else (True,):
                job = BuildJob(path, fold, settings.threads, frames, depths, settings.cuda)
                ours[path, fold] = stack.enter_context(process(job))
                ours[path, fold].described["name"] = names[path]
        sizes = sorted({manifests.read(path).imgsz for path in builds})
        peers = [stack.enter_context(process(job)) for job in _peer_jobs(settings, sizes, frames)]
        workers = [*ours.values(), *peers]

        for step, measured in enumerate(ours.values()):
            watch("start", step, len(ours))
            measured.cold = measured.ask("cold")
        # FP32 comes first: where the samples have no depth, its own stands for the truth.
        for step, measured in enumerate(workers):
            watch("accuracy", step, len(workers))
            measured.scores = measured.ask("accuracy", measured.job in _first(ours, references))
        if settings.gate is not None:
            for (_, fold), measured in ours.items():
                if fold:
                    measured.gated = measured.ask("gated", settings.gate, settings.max_age_ms)
        watcher = Watcher([measured.pid for measured in workers])
        rounds = take_turns(
            workers, settings.warmup, settings.duration, settings.iterations, watch, settings.seed
        )
        frames_paced = max(15, round(settings.fps * settings.duration))
        for step, ((_, fold), measured) in enumerate(ours.items()):
            watch("paced", step, len(ours))
            if fold:
                measured.paced = measured.ask("paced", settings.fps, frames_paced)
        watched = watcher.found()
        for (_, fold), measured in ours.items():
            measured.energy = measured.ask("energy")
            if fold:
                count = OVERHEAD_FRAMES if settings.overhead else COMPUTE_FRAMES
                measured.overhead = measured.ask("overhead", count)
                measured.stages = measured.ask("stages", COMPUTE_FRAMES)
        shown = {path: m for (path, fold), m in ours.items() if fold}
        bases = {path: shown[references[path]] for path in shown}
        picture = _picture(frames, list(shown.values()), list(bases.values()))
        for measured in workers:
            measured.end()
        if settings.cameras:
            for path in builds:
                watch("cameras", list(builds).index(path), len(builds))
                ours[path, True].cameras = _cameras(path, settings, frames)

        document = {
            "schema": SCHEMA,
            "machine": machine() | {"threads": settings.threads},
            "samples": samples,
            "method": {
                "seed": settings.seed,
                "rounds": rounds,
                "warmup_s": settings.warmup,
                "overhead": settings.overhead,
                "threads_tried_ms": {str(n): round(ms, 4) for n, ms in threads_ms.items()},
            },
            "watch": watched,
            "builds": [
                _entry(key, ours[key], ours[references[key[0]], True], folder)
                for key in sorted(ours, key=lambda key: not key[1])
            ],
        }
        if peers:
            document["peers"] = [m.described | m.speed() | m.scores for m in peers]
        return Outcome(document, picture, list(_samples(ours, peers, folder)))


def _samples(
    ours: dict[tuple[Path, bool], Measured], peers: Sequence[Measured], folder: Path
) -> Iterator[dict[str, Any]]:
    """Every timed frame, as a line of samples.jsonl. folder: of builds that were made for the run,
    whose path is None as in the report."""
    kinds: list[tuple[str | None, bool | None, Measured]] = [
        (None if folder in path.parents else str(path), fold, measured)
        for (path, fold), measured in ours.items()
    ]
    for path, folded, measured in [*kinds, *((None, None, peer) for peer in peers)]:
        stages = [f"{stage}_ms" for stage in measured.times]
        for number, values in enumerate(zip(*measured.times.values(), strict=True)):
            rounded = (round(value, 5) for value in values)
            yield {
                "name": measured.described["name"],
                "path": path,
                "folded": folded,
                "frame": number,
                **dict(zip(stages, rounded, strict=True)),
            }


def _first(ours: dict[tuple[Path, bool], Measured], references: dict[Path, Path]) -> list[Job]:
    """Those jobs whose depth is the truth for the others of their network."""
    return [ours[path, True].job for path in set(references.values())]


def _peer_jobs(settings: Settings, sizes: Sequence[tuple[int, int]], frames: Path) -> Iterator[Job]:
    if settings.peers:
        for size in (CAMERA, *sizes):
            for name in SUBTRACTORS:
                yield SubtractorJob(name, size, settings.threads, frames)
    for model in settings.peer_files:
        if not model.is_file():
            raise UsageError(f"--peer {model}: no such file; expected an ONNX network")
        for runtime, precision in RUNS:
            yield OnnxJob(model, runtime, precision, settings.threads, frames)


CAMERAS_S = 6.0
"""Seconds for which cameras are run."""


def _cameras(build: Path, settings: Settings, frames: Path) -> dict[str, Any]:
    """All cameras of `settings` at once, a process for each core."""
    cores = min(usable_cores(), settings.cameras)
    shares = [len(range(core, settings.cameras, cores)) for core in range(cores)]
    with ExitStack() as stack:
        workers = [
            stack.enter_context(
                process(CamerasJob(build, share, settings.camera_fps, frames, settings.cuda))
            )
            for share in shares
        ]
        start = time.time() + 0.5
        for worker in workers:
            worker.link.send(("paced", (start, CAMERAS_S)))
        found = [worker.receive() for worker in workers]
        for worker in workers:
            worker.end()
    total = sum(part["frames"] for part in found)
    busy = sum(part["busy_s"] for part in found)
    stages = found[0]["stages_s"]
    return {
        "count": settings.cameras,
        "fps": settings.camera_fps,
        "size": list(CAMERA),
        "frames": total,
        "late": sum(part["late"] for part in found),
        "busy_share": round(busy / (cores * CAMERAS_S), 4),
        "cores": cores,
        "ms_a_frame": {
            stage: round(1e3 * sum(part["stages_s"][stage] for part in found) / total, 4)
            for stage in stages
        },
        "rss_peak_mb": round(sum(worker.rss_peak_mb for worker in workers), 1),
    }


def _keep_samples(settings: Settings, file: Path, watch: Watch) -> dict[str, Any]:
    """Read the samples once, for all workers, into `file`; returns what the report says of them."""
    source = open_samples(settings.samples)
    chosen = evenly_spaced(source, settings.count)
    kept = []
    for pair in iter_samples(source, chosen):
        kept.append(pair)
        watch("samples", len(kept), len(chosen))
    if not kept:
        raise EdgeError(f"no sample of {settings.samples} could be read")
    with file.open("wb") as stream:
        pickle.dump(kept, stream)
    return {
        "name": source.name,
        "place": settings.samples,
        "count": len(kept),
        "decode_ms": _decode_ms([sample.fg_bg for _, sample in kept[:DECODED]]),
        "sequences": len({name for name, _ in kept}),
        "skipped": source.skipped,
        "depth": "truth" if all(sample.depth is not None for _, sample in kept) else "fp32",
    }


DECODED = 32
"""Frames whose decoding is timed."""


def _decode_ms(pictures: Sequence[Image]) -> float:
    """The median milliseconds in which a frame's JPEG of quality 90 becomes a picture again, as
    from a camera that sends MJPEG; on one thread."""
    times = []
    for picture in pictures:
        data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
        start = time.perf_counter()
        cv2.imdecode(data, cv2.IMREAD_COLOR)
        times.append(1e3 * (time.perf_counter() - start))
    return round(median(times), 4)


OVERHEAD_FRAMES, COMPUTE_FRAMES = 2000, 300

SHOWN = 5
"""Rows of the picture."""


def _picture(frames: Path, workers: Sequence[Measured], bases: Sequence[Measured]) -> Image:
    """What each worker makes of some frames, and how that differs from its base's."""
    with frames.open("rb") as stream:
        samples = [sample for _, sample in pickle.load(stream)]
    # Of evenly spread samples, those with something to see come first.
    order = sorted(range(len(samples)), key=lambda i: not (samples[i].mask == FOREGROUND).any())
    busy = sum((sample.mask == FOREGROUND).any() for sample in samples) or len(samples)
    chosen = [order[i * busy // SHOWN] for i in range(min(SHOWN, busy))]
    found = {m.described["name"]: m.ask("answers", chosen) for m in workers}
    references = {
        m.described["name"]: base.described["name"] for m, base in zip(workers, bases, strict=True)
    }
    answers = [{name: each[i] for name, each in found.items()} for i in range(len(chosen))]
    return comparison_grid([samples[i] for i in chosen], answers, references)


def _entry(
    key: tuple[Path, bool], measured: Measured, reference: Measured, folder: Path
) -> dict[str, Any]:
    path, folded = key
    manifest = measured.described
    fold = manifest["fold"]
    entry: dict[str, Any] = {
        "name": manifest["name"],
        "reference": reference.described["name"],
        "network": manifest["network"],
        "path": None if folder in path.parents else str(path),
        "target": manifest["target"],
        "precision": manifest["precision"],
        "imgsz": list(manifest["imgsz"]),
        "folded": folded,
        "params": manifest["params"],
        "macs": fold["frame_macs"] + (0 if folded else fold["background_macs"]),
        "layers": manifest["layers"],
        "int8_layers": manifest["int8_layers"],
        "size_mb": manifest["size_mb"],
        **measured.speed(),
        "cold": measured.cold,
        **measured.scores,
        "drop": drop(measured.scores, reference.scores),
    }
    if measured.paced:
        entry["paced"] = measured.paced
    if measured.gated:
        entry["gate"] = measured.gated
    if folded:
        entry["overhead"] = measured.overhead
        entry |= {f"{stage}_ms": summary(taken) for stage, taken in measured.stages.items()}
    if measured.energy:
        entry["energy"] = measured.energy
    if measured.cameras:
        entry["cameras"] = measured.cameras
    return entry


LOWER_IS_BETTER = {"abs_rel", "rmse"}


def drop(
    scores: dict[str, dict[str, float]], reference: dict[str, dict[str, float]]
) -> dict[str, dict[str, float]]:
    """How much worse than the reference each score is; below zero is better."""
    return {
        part: {
            # `+ 0.0`: nothing lost is 0.0, not -0.0.
            key: round((value - reference[part][key]) * (1 if key in LOWER_IS_BETTER else -1), 6)
            + 0.0
            for key, value in values.items()
        }
        for part, values in scores.items()
    }


def worst_drop(report: dict[str, Any]) -> tuple[float, str]:
    """The largest loss of IoU, F-measure or delta1 against FP32, and whose it is."""
    losses = [
        (entry["drop"][part][key], f"{entry['name']} loses {key}")
        for entry in report["builds"]
        for part, key in (("mask", "iou"), ("mask", "f_measure"), ("depth", "delta1"))
        if part in entry["drop"]
    ]
    return max(losses)
