"""`edge bench`."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from edge import strict_json
from edge.cli.build import default_build
from edge.cli.options import CudaBackend, Json, Samples_, command_line, refuse_unused
from edge.errors import EdgeError, Untrustworthy, UsageError
from edge.progress import bar, note

if TYPE_CHECKING:
    from edge.benchmarks.measuring.bench import Outcome, Settings
    from edge.benchmarks.reporting.report import Sensitivity
    from edge.files import SideFiles

UNSEEN = "rendered:64:777"
"""Rendered scenes that the bundled networks were not trained on (those have seed 0)."""


def bench(
    ctx: typer.Context,
    builds: Annotated[
        Optional[list[Path]],
        typer.Argument(help="Build folders.  [default: the bundled network in int8, built first]"),
    ] = None,
    samples: Samples_ = UNSEEN,
    count: Annotated[
        int, typer.Option(min=1, help="Largest number of samples, evenly spaced.")
    ] = 200,
    threads: Annotated[
        Optional[int], typer.Option(min=1, help="Threads of the runtime.  [default: usable cores]")
    ] = None,
    sensitivity: Annotated[
        Optional[Path], typer.Option(help="Result of edge sensitivity, to show in the page.")
    ] = None,
    tune_threads: Annotated[
        bool,
        typer.Option("--tune-threads", help="Use the fewest threads that make one build fastest."),
    ] = False,
    warmup: Annotated[float, typer.Option(min=0, help="Milliseconds of untimed work.")] = 200,
    duration: Annotated[float, typer.Option(min=0, help="Seconds of timed work per build.")] = 2,
    iterations: Annotated[int, typer.Option(min=11, help="Least timed frames per build.")] = 700,
    seed: Annotated[
        int, typer.Option(help="Seed of the order of builds in interleaved rounds.")
    ] = 0,
    peers: Annotated[
        bool, typer.Option("--peers", help="Also measure OpenCV's MOG2, KNN, absolute difference.")
    ] = False,
    peer: Annotated[
        Optional[list[Path]], typer.Option(help="Also measure this ONNX file; can be repeated.")
    ] = None,
    cameras: Annotated[
        int, typer.Option(min=0, help="Also run each build with this many cameras at once.")
    ] = 0,
    camera_fps: Annotated[
        float, typer.Option(min=0.1, help="Frames per second of each camera of --cameras.")
    ] = 15,
    gate: Annotated[
        Optional[float],
        typer.Option(
            min=0, help="Also score builds behind a gate of this many grey levels, as in 5."
        ),
    ] = None,
    max_age_ms: Annotated[
        float, typer.Option(min=0, help="Milliseconds for which --gate may repeat an answer.")
    ] = 1000,
    overhead: Annotated[
        bool, typer.Option("--overhead", help="Also measure what edge.infer adds to the backend.")
    ] = False,
    cuda_backend: CudaBackend = "auto",
    fps: Annotated[float, typer.Option(min=0.1, help="Frames per second of the paced mode.")] = 30,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 6 if other work disturbed the measurement.")
    ] = False,
    self_test: Annotated[
        bool,
        typer.Option("--self-test", help="Measure known times instead; exit 6 if 2 % off."),
    ] = False,
    gate_drop: Annotated[
        Optional[float],
        typer.Option(help="Exit 3 if a build loses more IoU, F-measure or delta1 than this."),
    ] = None,
    gate_fps: Annotated[
        Optional[float], typer.Option(help="Exit 4 if a build has fewer frames per second.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder of report.html, .md, .json, samples.jsonl and images.")
    ] = Path("reports"),
    as_json: Json = False,
) -> None:
    """Measure builds beside their FP32 on the same frames: speed, and the accuracy lost for it."""
    from edge.benchmarks.measuring.bench import Settings
    from edge.files import SideFiles
    from edge.runtime.cores import usable_cores

    if self_test:
        others = [name for name in ctx.params if name not in ("self_test", "as_json")]
        refuse_unused(ctx, "with --self-test", *others)
        _self_test(as_json)
        return
    if gate is None:
        refuse_unused(ctx, "without --gate", "max_age_ms")
    if not cameras:
        refuse_unused(ctx, "without --cameras", "camera_fps")
    if tune_threads and threads:
        raise UsageError("--tune-threads finds the number of threads", "leave --threads out")
    if tune_threads and len(builds or []) > 1:
        raise UsageError(
            f"--tune-threads is for one build, {len(builds or [])} were given",
            "measure each in a run of its own, or give --threads",
        )
    layers = _read_sensitivity(sensitivity) if sensitivity else None
    places = builds or [default_build()]
    if cuda_backend != "auto" and not any(map(_runs_on_gpu, places)):
        refuse_unused(ctx, "on builds that run on a CPU", "cuda_backend")
    settings = Settings(
        samples=samples,
        count=count,
        threads=threads or usable_cores(),
        tune_threads=tune_threads,
        warmup=warmup / 1e3,
        duration=duration,
        iterations=iterations,
        seed=seed,
        peers=peers,
        peer_files=tuple(peer or ()),
        cameras=cameras,
        camera_fps=camera_fps,
        gate=gate,
        max_age_ms=max_age_ms,
        overhead=overhead,
        fps=fps,
        cuda=cuda_backend,
    )
    outcome = _measure(places, settings, layers)
    words = _command(places, settings)
    words += ["--sensitivity", sensitivity] if sensitivity else []
    files = SideFiles()
    _print_and_write(outcome, out, command_line(words), files, as_json)
    _check_gates(outcome, gate_drop, gate_fps, strict)
    files.check()


def _runs_on_gpu(build: Path) -> bool:
    from edge import manifest as manifests
    from edge.targets import get

    return get(manifests.read(build).target).device == "gpu"


def _measure(places: list[Path], settings: Settings, layers: Sensitivity | None) -> Outcome:
    """Measure with a progress bar per stage."""
    from dataclasses import replace

    from edge.benchmarks.measuring.bench import bench as measure

    stages = ["samples", *(["threads"] if settings.tune_threads else [])]
    stages += ["start", "accuracy", "speed", "paced", *(["cameras"] if settings.cameras else [])]
    with bar() as progress:
        tasks = {name: progress.add_task(name, total=None) for name in stages}
        outcome = measure(
            places,
            settings,
            lambda stage, done, total: progress.update(tasks[stage], completed=done, total=total),
        )
    return replace(outcome, report=replace(outcome.report, sensitivity=layers))


def _command(places: list[Path], settings: Settings) -> list[object]:
    """The words of the command that measures again."""
    s = settings
    words: list[object] = ["edge", "bench", *places, "--samples", s.samples, "--count", s.count]
    words += ["--tune-threads"] if s.tune_threads else ["--threads", s.threads]
    words += ["--warmup", 1e3 * s.warmup, "--duration", s.duration]
    words += ["--iterations", s.iterations, "--seed", s.seed]
    words += ["--fps", s.fps] if s.fps != 30 else []
    words += ["--peers"] if s.peers else []
    words += [word for file in s.peer_files for word in ("--peer", file)]
    words += ["--cameras", s.cameras, "--camera-fps", s.camera_fps] if s.cameras else []
    words += ["--gate", s.gate, "--max-age-ms", s.max_age_ms] if s.gate is not None else []
    words += ["--overhead"] if s.overhead else []
    return words + (["--cuda-backend", s.cuda] if s.cuda != "auto" else [])


def _print_and_write(
    outcome: Outcome, out: Path, command: str, files: SideFiles, as_json: bool
) -> None:
    from edge.benchmarks.reporting.notes import headline, notes
    from edge.benchmarks.reporting.table import plain
    from edge.benchmarks.reporting.write import write_report
    from edge.calibrate.labelled import report_skipped

    report = outcome.report
    report_skipped(report.samples.skipped)
    if as_json:
        print(json.dumps(report.to_json()))
    else:
        print(plain(report))
        print("\n".join(["", headline(report), *notes(report)]))
    with files.attempt():
        page = write_report(outcome, out, command)
        if not as_json:
            print(f"report: {page}")


def _check_gates(
    outcome: Outcome, drop: Optional[float], fps: Optional[float], strict: bool
) -> None:
    """Say every gate that is missed; the exit code is of the first."""
    from edge.benchmarks.reporting.gates import check_drop, check_fps, check_undisturbed

    missed: list[EdgeError] = []
    checks: list[Callable[[], None]] = []
    if drop is not None:
        checks.append(partial(check_drop, outcome.report, drop))
    if fps is not None:
        checks.append(partial(check_fps, outcome.report, fps))
    if strict:
        checks.append(partial(check_undisturbed, outcome.report))
    for check in checks:
        try:
            check()
        except EdgeError as error:
            missed.append(error)
    for other in missed[1:]:
        note(str(other))
    if missed:
        raise missed[0]


def _read_sensitivity(path: Path) -> Sensitivity:
    """Read a result of `edge sensitivity`."""
    from edge.benchmarks.reporting.codec import decode
    from edge.benchmarks.reporting.report import Sensitivity

    try:
        return decode(Sensitivity, strict_json.parse(path.read_text()))
    except (OSError, ValueError) as error:
        raise UsageError(f"--sensitivity {path} is not a result of `edge sensitivity`") from error


def _self_test(as_json: bool) -> None:
    """Known times through the same processes, rounds and summaries as builds."""
    from edge.benchmarks.measuring.self_test import ALLOWED, self_test
    from edge.benchmarks.reporting.codec import encode

    rows = self_test()
    if as_json:
        print(json.dumps(encode(rows)))
    for row in rows:
        line = f"{row.true_ms:g} ms are reported as {row.p50_ms:.4f} ms"
        note(f"{line}, {100 * row.error:+.2f} %")
    if any(abs(row.error) > ALLOWED for row in rows):
        raise Untrustworthy(
            f"known times are reported more than {100 * ALLOWED:g} % off",
            "the clock or the load of this machine forbids measuring; try again when it is quiet",
        )
