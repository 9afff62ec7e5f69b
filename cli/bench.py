"""`edge bench`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from edge.cli.build import default_build
from edge.cli.options import CudaBackend, Json, Samples_, command_line, report_skipped
from edge.errors import ACCURACY_GATE, SPEED_GATE, UNTRUSTWORTHY, UsageError
from edge.progress import bar, note

UNSEEN = "rendered:64:777"
"""Rendered scenes that the bundled networks were not trained on (those have seed 0)."""


def bench(
    builds: Annotated[
        Optional[list[Path]],
        typer.Argument(help="Build folders.  [default: the bundled network in int8, built first]"),
    ] = None,
    samples: Samples_ = UNSEEN,
    count: Annotated[
        int, typer.Option(min=1, help="At most so many samples, evenly spread.")
    ] = 200,
    threads: Annotated[
        Optional[int], typer.Option(min=1, help="Threads of the runtime.  [default: usable cores]")
    ] = None,
    sensitivity: Annotated[
        Optional[Path], typer.Option(help="Also show this result of edge sensitivity in the page.")
    ] = None,
    tune_threads: Annotated[
        bool,
        typer.Option("--tune-threads", help="Take the threads that the build is quickest with."),
    ] = False,
    warmup: Annotated[float, typer.Option(min=0, help="Milliseconds of untimed work.")] = 200,
    duration: Annotated[float, typer.Option(min=0, help="Seconds of timed work per build.")] = 2,
    iterations: Annotated[int, typer.Option(min=11, help="Least timed frames per build.")] = 700,
    seed: Annotated[int, typer.Option(help="Of the order in which builds take turns.")] = 0,
    peers: Annotated[
        bool, typer.Option("--peers", help="Also OpenCV's MOG2, KNN and absolute difference.")
    ] = False,
    peer: Annotated[
        Optional[list[Path]], typer.Option(help="Also this ONNX file; can be repeated.")
    ] = None,
    cameras: Annotated[
        int, typer.Option(min=0, help="Also run each build with so many cameras at once.")
    ] = 0,
    camera_fps: Annotated[
        float, typer.Option(min=0.1, help="Frames a second of each of --cameras.")
    ] = 15,
    gate: Annotated[
        Optional[float],
        typer.Option(min=0, help="Also score builds that skip frames which differ by less (5)."),
    ] = None,
    max_age_ms: Annotated[
        float, typer.Option(min=0, help="How long --gate may give the same answer.")
    ] = 1000,
    overhead: Annotated[
        bool, typer.Option("--overhead", help="Also what edge.infer adds to the backend's call.")
    ] = False,
    cuda_backend: CudaBackend = "auto",
    fps: Annotated[float, typer.Option(min=0.1, help="Frames a second in the paced mode.")] = 30,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 6 if the machine was disturbed meanwhile.")
    ] = False,
    self_test: Annotated[
        bool,
        typer.Option("--self-test", help="Measure known times instead; exit 6 if 2 % off."),
    ] = False,
    gate_drop: Annotated[
        Optional[float], typer.Option(help="Exit 3 if more IoU, F or delta1 is lost than this.")
    ] = None,
    gate_fps: Annotated[Optional[float], typer.Option(help="Exit 4 if a build is slower.")] = None,
    out: Annotated[
        Path, typer.Option(help="Folder of report.html, .md, .json, samples.jsonl, pictures.")
    ] = Path("reports"),
    as_json: Json = False,
) -> None:
    """Measure builds on real frames, FP32 beside each: speed, and what was lost for it."""
    import cv2

    from edge.benchmarks.measuring.run import Settings, worst_drop
    from edge.benchmarks.measuring.run import bench as measure
    from edge.benchmarks.reporting.chart import chart
    from edge.benchmarks.reporting.page import page
    from edge.benchmarks.reporting.table import headline, markdown, notes, plain
    from edge.files import atomic_write
    from edge.runtime.cores import usable_cores

    if self_test:
        _self_test(as_json)
        return
    if tune_threads and threads:
        raise UsageError("--tune-threads finds the number; leave --threads out")
    layers = _layers(sensitivity) if sensitivity else {}
    places = builds or [default_build()]
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
    stages = [
        "samples",
        *(["threads"] if tune_threads else []),
        "start",
        "accuracy",
        "speed",
        "paced",
        *(["cameras"] if cameras else []),
    ]
    with bar() as progress:
        tasks = {name: progress.add_task(name, total=None) for name in stages}
        outcome = measure(
            places,
            settings,
            lambda what, done, total: progress.update(tasks[what], completed=done, total=total),
        )
    report, picture = outcome.report, outcome.picture
    if layers:
        report["sensitivity"] = layers
    words: list[object] = ["edge", "bench", *places, "--samples", samples, "--count", count]
    words += ["--tune-threads"] if tune_threads else ["--threads", settings.threads]
    words += ["--warmup", warmup, "--duration", duration, "--iterations", iterations]
    words += ["--seed", seed]
    words += ["--fps", fps] if fps != 30 else []
    words += ["--peers"] if peers else []
    words += [word for file in settings.peer_files for word in ("--peer", file)]
    words += ["--cameras", cameras, "--camera-fps", camera_fps] if cameras else []
    words += ["--gate", gate, "--max-age-ms", max_age_ms] if gate is not None else []
    words += ["--overhead"] if overhead else []
    words += ["--sensitivity", sensitivity] if sensitivity else []
    words += ["--cuda-backend", cuda_backend] if cuda_backend != "auto" else []
    report_skipped(report["samples"]["skipped"])
    with atomic_write(out / "frames.jpg") as draft:
        draft.write_bytes(cv2.imencode(".jpg", picture)[1].tobytes())
    if "peers" in report:
        with atomic_write(out / "peers.png") as draft:
            draft.write_bytes(cv2.imencode(".png", chart(report))[1].tobytes())
    with atomic_write(out / "report.json") as draft:
        draft.write_text(json.dumps(report, indent=2) + "\n")
    with atomic_write(out / "samples.jsonl") as draft:
        draft.write_text("".join(json.dumps(line) + "\n" for line in outcome.samples))
    command = command_line(words)
    with atomic_write(out / "report.md") as draft:
        draft.write_text(markdown(report, command))
    with atomic_write(out / "report.html") as draft:
        draft.write_text(page(report, outcome.samples, picture, command))
    if as_json:
        print(json.dumps(report))
    else:
        print(plain(report))
        print("\n".join(["", headline(report), *notes(report), f"report: {out / 'report.html'}"]))
    lost, whose = worst_drop(report)
    if gate_drop is not None and lost > gate_drop:
        note(f"error: {whose}: {lost:.4f}, allowed is {gate_drop}")
        raise typer.Exit(ACCURACY_GATE)
    given = [e for e in report["builds"] if e["folded"] and e["path"]]
    slowest = min(given, key=lambda entry: entry["throughput_fps"])
    if gate_fps is not None and slowest["throughput_fps"] < gate_fps:
        note(
            f"error: {slowest['name']} runs at {slowest['throughput_fps']} fps,"
            f" asked are {gate_fps}"
        )
        raise typer.Exit(SPEED_GATE)
    if strict and (reason := report["watch"]["disturbed"]):
        note(
            f"error: these figures are not to be trusted: {reason}; run it again on a quiet machine"
        )
        raise typer.Exit(UNTRUSTWORTHY)


def _layers(path: Path) -> dict[str, object]:
    """What `edge sensitivity` found: of what it asked, and what each layer loses."""
    try:
        found = json.loads(path.read_text())
        return {"claim": dict(found["claim"]), "lost": dict(found["lost"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"--sensitivity {path} is not a result of `edge sensitivity`") from error


def _self_test(as_json: bool) -> None:
    """Known times through the same processes, rounds and summaries as any build's."""
    from edge.benchmarks.measuring.self_test import ALLOWED, self_test

    found = self_test()
    if as_json:
        print(json.dumps(found))
    for row in found:
        line = f"{row['true_ms']:g} ms are reported as {row['p50_ms']:.4f} ms"
        note(f"{line}, {100 * row['error']:+.2f} %")
    if any(abs(row["error"]) > ALLOWED for row in found):
        note(f"error: more than {100 * ALLOWED:g} % off: this machine's clock or load forbids it")
        raise typer.Exit(UNTRUSTWORTHY)
