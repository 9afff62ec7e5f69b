"""`edge tune`."""

from __future__ import annotations

import hashlib
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge import __version__
from edge.cli.options import Json, Samples_, command_line, parse_imgsz, report_skipped
from edge.cli.train import Data, LeaveOut
from edge.errors import ACCURACY_GATE, SPEED_GATE, UsageError
from edge.progress import bar, note

if TYPE_CHECKING:
    from edge.benchmarks.tune import Candidate, Point, Promise
    from edge.builder.write import Plan


def tune(
    target_fps: Annotated[
        float, typer.Option("--target-fps", min=0, help="Least frames a second on this machine.")
    ] = 30,
    max_drop: Annotated[
        float, typer.Option("--max-drop", min=0, help="Most IoU below the best that was found.")
    ] = 0.01,
    networks: Annotated[
        str,
        typer.Option(
            help="Bundled networks, ONNX files or checkpoints (best.pt), by commas."
            "  [default: all that are bundled]"
        ),
    ] = "",
    prune: Annotated[
        str,
        typer.Option(
            help="Also prune each checkpoint to these shares of its multiplications, by commas, as"
            " in 0.7,0.5; each is trained on (edge prune)."
        ),
    ] = "",
    pictures: Annotated[
        int, typer.Option(min=1, help="Pictures of training after each round of --prune.")
    ] = 16000,
    data: Data = None,
    leave_out: LeaveOut = "",
    imgsz: Annotated[str, typer.Option(help="Sizes to try, by commas.")] = "160,224,320",
    precision: Annotated[str, typer.Option(help="Precisions to try, by commas.")] = "int8,fp32",
    target: Annotated[
        str, typer.Option(help="Targets to try, by commas.  [default: all that run here]")
    ] = "",
    forms: Annotated[
        str,
        typer.Option(
            help="Forms of ConvTranspose to try in int8, by commas: convtranspose,depth-to-space."
            "  [default: the target's own]"
        ),
    ] = "",
    samples: Samples_ = "rendered:96:777",
    count: Annotated[int, typer.Option(min=16, help="Samples of the last rung.")] = 96,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder of ledger.jsonl, tune.html and what was pruned; a killed search goes on."
        ),
    ] = Path("tune"),
    as_json: Json = False,
) -> None:
    """Find the build that keeps two promises on this machine: frames a second and accuracy."""
    from edge.benchmarks.measuring.machine import machine
    from edge.benchmarks.tune import Candidate, Ledger, Promise, reason, search
    from edge.calibrate.samples import open_samples
    from edge.files import atomic_write
    from edge.targets.table import in_form, running

    here = {row.name: row for row in running()}
    for size in imgsz.split(","):
        parse_imgsz(size)
    chosen = target.split(",") if target else list(here)
    if unknown := [name for name in chosen if name not in here]:
        raise UsageError(
            f"--target {unknown[0]} does not run here; these do: {', '.join(here) or 'none'}"
        )
    for form in forms.split(",") if forms else []:
        in_form(here[chosen[0]], form)
    recipes = [
        (size, kind, row, form)
        for size, kind, row in itertools.product(imgsz.split(","), precision.split(","), chosen)
        if kind in here[row].precisions
        for form in (forms.split(",") if forms and kind == "int8" else [""])
    ]
    if not recipes:
        raise UsageError(f"--precision {precision}: none of {', '.join(chosen)} can build it")
    source = open_samples(samples)
    pruning = _pruning(prune, pictures, data or [], leave_out)
    candidates = [
        Candidate(network, size, kind, row, sha256, form)
        for network, sha256 in _networks(networks, pruning, out)
        for size, kind, row, form in recipes
    ]
    where = machine()
    claim = {
        "samples": [samples, source.fingerprint()],
        "count": count,
        "version": __version__,
        "machine": [where["processor"], where["cores"], where["libraries"]],
    }
    promise = Promise(target_fps, max_drop)
    ledger = Ledger(out / "ledger.jsonl", claim)
    if ledger.points:
        note(f"{len(ledger.points)} measurements are taken from {ledger.path}")
    with tempfile.TemporaryDirectory(prefix="edge-tune-") as folder, bar() as progress:
        task = progress.add_task("tune", total=None)
        points = search(
            candidates,
            _plan,
            source,
            count,
            promise,
            ledger,
            Path(folder),
            lambda what, done, all_: progress.update(
                task, description=f"tune {what}", completed=done, total=all_
            ),
        )
    report_skipped(source.skipped)
    best = points[0]
    last = [point for point in points if point.rung == best.rung]
    why = {point.candidate: reason(point, last, promise) for point in points}
    words = ["edge", "tune", "--target-fps", target_fps, "--max-drop", max_drop]
    words += ["--networks", networks] if networks else []
    words += pruning.options()
    words += ["--target", target] if target else []
    words += ["--forms", forms] if forms else []
    words += ["--imgsz", imgsz, "--precision", precision, "--samples", samples, "--count", count]
    rows = _rows(points, why)
    with atomic_write(out / "tune.html") as draft:
        draft.write_text(_page(points, rows, best, promise, command_line(words)))
    if as_json:
        listed = [asdict(point) | {"reason": why[point.candidate]} for point in points]
        print(json.dumps({"recommended": best.candidate.command, "points": listed}))
    else:
        width = max(len(row[0]) for row in rows)
        for name, *cells in rows:
            figures = "  ".join(f"{cell:>7}" for cell in cells[:3])
            print(f"{name:<{width}}  {figures}  {cells[3]}")
        print(f"\n{best.candidate.command}")
        note(f"page: {out / 'tune.html'}")
    if failed := why[best.candidate]:
        note(f"error: no candidate keeps the promise; the nearest has {failed}")
        raise typer.Exit(SPEED_GATE if "fps" in failed else ACCURACY_GATE)


@dataclass(frozen=True)
class _Pruning:
    """shares: of the multiplications, as they were typed; training: options of `edge prune`."""

    shares: list[str]
    training: list[str]

    def options(self) -> list[str]:
        return ["--prune", ",".join(self.shares), *self.training] if self.shares else []


def _pruning(prune: str, pictures: int, data: list[str], leave_out: str) -> _Pruning:
    shares = prune.split(",") if prune else []
    for share in shares:
        try:
            fits = 0 < float(share) < 1
        except ValueError:
            fits = False
        if not fits:
            raise UsageError(f"--prune {share}: expected shares between 0 and 1, as in 0.7,0.5")
    if not shares and (data or leave_out):
        raise UsageError("--data and --leave-out say what --prune trains on; give --prune as well")
    training = ["--pictures", str(pictures)]
    training += [word for source in data for word in ("--data", source)]
    training += ["--leave-out", leave_out] if leave_out else []
    return _Pruning(shares, training)


def _networks(text: str, pruning: _Pruning, out: Path) -> list[tuple[str, str]]:
    """The networks asked for, and the sha256 of their files; checkpoints are exported first."""
    from edge.bundled import bundled, names
    from edge.manifest import sha256

    asked = text.split(",") if text else names()
    files = {n: Path(n) if n.endswith((".onnx", ".pt")) else bundled(n) for n in asked}
    for name, file in files.items():
        if not file.is_file():
            raise UsageError(f"--networks {name}: no such file")
    if pruning.shares and not any(file.suffix == ".pt" for file in files.values()):
        raise UsageError(
            "--prune trains what it makes smaller, so it needs a checkpoint:"
            " --networks runs/NAME/best.pt"
        )
    found = []
    for name, file in files.items():
        if file.suffix == ".pt":
            found += [(str(made), sha256(made)) for made in _exported(file, pruning, out)]
        else:
            found.append((name, sha256(file)))
    return found


def _exported(checkpoint: Path, pruning: _Pruning, out: Path) -> Iterator[Path]:
    """The checkpoint as ONNX, and its pruned forms, each in OUT/networks; what is there is kept.

    Training is left to processes of its own: a runtime beside torch would share its threads.
    """
    from edge.manifest import sha256

    name = f"{checkpoint.resolve().parent.name}-{sha256(checkpoint)[:8]}"
    trained = hashlib.sha256(" ".join(pruning.training).encode()).hexdigest()[:8]
    for share in ["", *pruning.shares]:
        place = f"{name}-{share}-{trained}" if share else name
        file = out / "networks" / f"{place}.onnx"
        if not file.is_file():
            best = str(checkpoint.resolve())
            if share:
                words = ["--target-macs", share, *pruning.training]
                best = _edge("prune", best, *words, "--out", str(out / "pruned" / place))
            _edge("export", best, "--out", str(file))
        yield file


def _edge(*words: str) -> str:
    """Run a command and give what it printed; it says on stderr itself what went wrong."""
    command = [sys.executable, "-m", "edge", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise typer.Exit(done.returncode)
    return done.stdout.splitlines()[-1]


def _plan(candidate: Candidate) -> Plan:
    from edge.cli.build import make

    file = candidate.network if candidate.network.endswith(".onnx") else None
    return make(
        file,
        Path(candidate.network).stem,
        candidate.precision,
        candidate.target,
        "",
        candidate.imgsz,
        "rendered",
        "minmax",
        64,
        None,
        form=candidate.form or None,
    )


def _rows(points: list[Point], why: dict[Candidate, str]) -> list[list[str]]:
    """Names, figures and the verdict of each, under heads."""
    from edge.benchmarks.tune import RUNGS

    rows = [["build", "fps", "IoU", "delta1", ""]]
    for number, point in enumerate(points):
        verdict = why[point.candidate] or "less accurate than the recommended"
        if number == 0:
            verdict = "recommended" if not why[point.candidate] else why[point.candidate]
        elif point.rung < RUNGS - 1:
            verdict = f"left after rung {point.rung + 1}: {verdict}"
        delta1 = "-" if point.delta1 is None else f"{point.delta1:.4f}"
        rows.append([point.candidate.name, f"{point.fps:.0f}", f"{point.iou:.4f}", delta1, verdict])
    return rows


def _page(
    points: list[Point], rows: list[list[str]], best: Point, promise: Promise, command: str
) -> str:
    from html import escape

    from edge.benchmarks.reporting.page import document, html_table, section, trade

    title = (
        f"{best.candidate.name} runs at {best.fps:.0f} fps with an IoU of {best.iou:.4f};"
        f" asked were {promise.fps:g} fps and at most {promise.drop:g} below the best."
    )
    last = [point for point in points if point.rung == best.rung]
    plot = trade([(p.candidate.name, p.p50_ms, p.iou) for p in last], "IoU of the mask")
    return document(
        "edge tune",
        [
            f"<h1>{escape(title)}</h1>",
            f"<pre>{escape(best.candidate.command)}</pre>",
            section("The finalists", plot),
            section("Every candidate", html_table(rows)),
            section("The command", f"<pre>{escape(command)}</pre>"),
        ],
    )
