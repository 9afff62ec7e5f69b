"""`edge tune`."""

from __future__ import annotations

import hashlib
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from edge import __version__
from edge.cli.options import Json, Samples_, command_line, parse_imgsz, refuse_unused
from edge.cli.training import Data, LeaveOut
from edge.errors import UsageError
from edge.progress import bar, note

NONE_MEETS = "no candidate meets the constraints"
RESULT = "pruned.json"
"""Of `edge prune`; its module imports torch."""

if TYPE_CHECKING:
    from edge.benchmarks.ledger import Candidate, Point
    from edge.benchmarks.reporting.table import Rows
    from edge.benchmarks.tune import Constraints
    from edge.files import SideFiles


def tune(
    ctx: typer.Context,
    target_fps: Annotated[
        float, typer.Option("--target-fps", min=0, help="Least frames per second on this machine.")
    ] = 30,
    max_drop: Annotated[
        float, typer.Option("--max-drop", min=0, help="Most IoU below the best candidate's.")
    ] = 0.01,
    networks: Annotated[
        str,
        typer.Option(
            help="Bundled networks, ONNX files or checkpoints (best.pt), by commas."
            "  [default: all bundled networks]"
        ),
    ] = "",
    prune: Annotated[
        str,
        typer.Option(
            help="Also prune each checkpoint to these shares of its MACs, by commas, as in 0.7,0.5,"
            " and train it on (edge prune)."
        ),
    ] = "",
    pictures: Annotated[
        int, typer.Option(min=1, help="Training images after each step of --prune.")
    ] = 16000,
    data: Data = None,
    leave_out: LeaveOut = "",
    imgsz: Annotated[str, typer.Option(help="Image sizes to try, by commas.")] = "160,224,320",
    precision: Annotated[str, typer.Option(help="Precisions to try, by commas.")] = "int8,fp32",
    target: Annotated[
        str, typer.Option(help="Targets to try, by commas.  [default: all that run here]")
    ] = "",
    upsample: Annotated[
        str,
        typer.Option(
            help="Upsample operators to try in int8, by commas: convtranspose,depth_to_space."
            "  [default: the target's]"
        ),
    ] = "",
    samples: Samples_ = "rendered:96:777",
    count: Annotated[int, typer.Option(min=16, help="Samples of the last rung.")] = 96,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder of ledger.jsonl, tune.html and pruned networks; a killed search goes on."
        ),
    ] = Path("tune"),
    as_json: Json = False,
) -> None:
    """Search for the most accurate build that meets a frame rate and an accuracy constraint."""
    from edge.benchmarks.ledger import Candidate, Ledger
    from edge.benchmarks.tune import Constraints, missed, search
    from edge.calibrate.labelled import report_skipped
    from edge.calibrate.samples import open_samples

    if not prune:
        refuse_unused(ctx, "without --prune", "pictures", "data", "leave_out")
    variants = _variants(imgsz, precision, target, upsample)
    source = open_samples(samples)
    pruning = _pruning(prune, pictures, data or [], leave_out)
    candidates = [
        Candidate(network, v.imgsz, v.precision, v.target, sha256, v.upsample)
        for network, sha256 in _networks(networks, pruning, out)
        for v in variants
    ]
    key = _key(source.fingerprint(), count)
    ledger = Ledger(out / "ledger.jsonl", key)
    if ledger.points:
        note(f"{len(ledger.points)} measurements are taken from {ledger.path}")
    constraints = Constraints(target_fps, max_drop)
    with tempfile.TemporaryDirectory(prefix="edge-tune-") as folder, bar() as progress:
        task = progress.add_task("tune", total=None)
        points = search(
            candidates,
            source,
            count,
            constraints,
            ledger,
            Path(folder),
            lambda stage, done, total: progress.update(
                task, description=f"tune {stage}", completed=done, total=total
            ),
        )
    report_skipped(source.skipped)
    words: list[object] = ["edge", "tune", "--target-fps", target_fps, "--max-drop", max_drop]
    words += ["--networks", networks] if networks else []
    words += pruning.options()
    words += ["--target", target] if target else []
    words += ["--upsample", upsample] if upsample else []
    words += ["--imgsz", imgsz, "--precision", precision, "--samples", samples, "--count", count]
    _print_and_write(points, constraints, out, command_line(words), ledger.files, as_json)
    if error := missed(points[0], _finalists(points), constraints):
        error.message = f"{NONE_MEETS}; the nearest has {error.message}"
        raise error
    ledger.files.check()


class _Variant(NamedTuple):
    """What is tried of every network."""

    imgsz: tuple[int, int]
    precision: str
    target: str
    upsample: str | None


def _listed(option: str, text: str, known: tuple[str, ...]) -> list[str]:
    """Comma-separated values, each of which must be known."""
    values = list(dict.fromkeys(text.split(",")))
    if unknown := [value for value in values if value not in known]:
        raise UsageError(f"{option} {unknown[0]}: known are {', '.join(known)}")
    return values


def _variants(imgsz: str, precision: str, target: str, upsample: str) -> list[_Variant]:
    """Sizes x precisions x targets x upsample operators; whatever cannot be built is refused."""
    from edge.targets import PRECISIONS, UPSAMPLE_OPS, running, targets

    here = {row.name: row for row in running()}
    sizes = list(dict.fromkeys(parse_imgsz(size) for size in imgsz.split(",")))
    precisions = _listed("--precision", precision, PRECISIONS)
    chosen = _listed("--target", target, tuple(targets())) if target else list(here)
    if absent := [name for name in chosen if name not in here]:
        raise UsageError(
            f"--target {absent[0]} does not run here; these do: {', '.join(here) or 'none'}"
        )
    for name in precisions:
        if not any(name in here[row].precisions for row in chosen):
            raise UsageError(f"--precision {name}: none of {', '.join(chosen)} can build it")
    operators: list[str | None] = [None]
    if upsample:
        operators = [*_listed("--upsample", upsample, UPSAMPLE_OPS)]
        if "int8" not in precisions:
            raise UsageError("--upsample has no effect without int8 in --precision")
    variants = []
    for size, name, row in itertools.product(sizes, precisions, chosen):
        if name not in here[row].precisions:
            continue
        for operator in operators if name == "int8" else [None]:
            variants.append(_Variant(size, name, row, operator))
    return variants


def _key(samples_sha256: str, count: int) -> dict[str, Any]:
    """What a measurement belongs to."""
    from edge.benchmarks.measuring.machine import machine

    about = machine()
    return {
        "samples_sha256": samples_sha256,
        "count": count,
        "version": __version__,
        "machine": [about.processor, about.cores, about.libraries],
    }


@dataclass(frozen=True)
class _Pruning:
    """shares: of the MACs, as typed; training: options of `edge prune`."""

    shares: list[str]
    training: list[str]

    def options(self) -> list[str]:
        return ["--prune", ",".join(self.shares), *self.training] if self.shares else []


def _pruning(prune: str, pictures: int, data: list[str], leave_out: str) -> _Pruning:
    shares = prune.split(",") if prune else []
    for share in shares:
        try:
            in_range = 0 < float(share) < 1
        except ValueError:
            in_range = False
        if not in_range:
            raise UsageError(f"--prune {share}: expected shares between 0 and 1, as in 0.7,0.5")
    training = ["--pictures", str(pictures)]
    training += [word for source in data for word in ("--data", source)]
    training += ["--leave-out", leave_out] if leave_out else []
    return _Pruning(shares, training)


def _networks(text: str, pruning: _Pruning, out: Path) -> list[tuple[str, str]]:
    """The networks asked for and the sha256 of their files; checkpoints are exported first."""
    from edge.bundled import bundled, names
    from edge.manifest import sha256

    asked = text.split(",") if text else names()
    files = {n: Path(n) if n.endswith((".onnx", ".pt")) else bundled(n) for n in asked}
    for name, file in files.items():
        if not file.is_file():
            raise UsageError(f"--networks {name}: no such file")
    if pruning.shares and not any(file.suffix == ".pt" for file in files.values()):
        raise UsageError(
            "--prune trains a network that it made smaller, so it needs a checkpoint",
            "--networks runs/NAME/best.pt",
        )
    pairs: list[tuple[str, str]] = []
    for name, file in files.items():
        if file.suffix == ".pt":
            pairs += [(str(made), sha256(made)) for made in _exported(file, pruning, out)]
        else:
            pairs.append((name, sha256(file)))
    return pairs


def _exported(checkpoint: Path, pruning: _Pruning, out: Path) -> Iterator[Path]:
    """The checkpoint and its pruned versions as ONNX in OUT/networks; existing files are kept.

    Training runs in processes of its own: a runtime beside torch would share its threads.
    """
    from edge.manifest import sha256

    name = f"{checkpoint.resolve().parent.name}-{sha256(checkpoint)[:8]}"
    trained = hashlib.sha256(" ".join(pruning.training).encode()).hexdigest()[:8]
    for share in ["", *pruning.shares]:
        source, named = str(checkpoint.resolve()), name
        if share:
            place = out / "pruned" / f"{name}-{share}-{trained}"
            words = ["prune", source, "--target-macs", share, *pruning.training, "--out", place]
            source = "" if (place / RESULT).is_file() else _edge(*words)
            # Named after what was reached, which need not be what was asked for.
            reached = json.loads((place / RESULT).read_text())["share"]
            named = f"{name}-{reached:.2f}-{trained}"
        file = out / "networks" / f"{named}.onnx"
        if not file.is_file():
            _edge("export", source or _edge(*words), "--out", file)
        yield file


def _edge(*words: object) -> str:
    """Run a command and return the last line it printed; it reports its own errors on stderr."""
    command = [sys.executable, "-m", "edge", *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise typer.Exit(done.returncode)
    return done.stdout.splitlines()[-1]


def _finalists(points: list[Point]) -> list[Point]:
    """The points of the recommended one's rung, with which it was compared."""
    return [point for point in points if point.rung == points[0].rung]


def _reasons(points: list[Point], constraints: Constraints) -> dict[Candidate, str]:
    """The constraint that each candidate misses, empty where it meets both."""
    from edge.benchmarks.tune import missed

    errors = {p.candidate: missed(p, _finalists(points), constraints) for p in points}
    return {candidate: error.message if error else "" for candidate, error in errors.items()}


def _print_and_write(
    points: list[Point],
    constraints: Constraints,
    out: Path,
    command: str,
    files: SideFiles,
    as_json: bool,
) -> None:
    from edge.benchmarks.reporting.codec import encode
    from edge.files import atomic_write

    best, reasons = points[0], _reasons(points, constraints)
    rows = _rows(points, reasons)
    with files.attempt(), atomic_write(out / "tune.html") as draft:
        draft.write_text(_page(points, rows, constraints, command))
    if as_json:
        listed = [encode(point) | {"reason": reasons[point.candidate]} for point in points]
        warning = reasons[best.candidate]
        document = {"recommended": None if warning else best.candidate.command, "warning": warning}
        print(json.dumps(document | {"points": listed}))
        return
    width = max(len(row[0]) for row in rows)
    for name, *cells in rows:
        figures = "  ".join(f"{cell:>7}" for cell in cells[:3])
        print(f"{name:<{width}}  {figures}  {cells[3]}")
    print(f"\n{best.candidate.command}")
    if files.written:
        note(f"page: {out / 'tune.html'}")


def _rows(points: list[Point], reasons: dict[Candidate, str]) -> Rows:
    """Names, figures and the verdict on each candidate, under heads."""
    from edge.benchmarks.tune import RUNGS, fp32_of

    rows = [["build", "fps", "IoU", "delta1", ""]]
    for number, point in enumerate(points):
        verdict = reasons[point.candidate] or "less accurate than the recommended"
        if number == 0:
            verdict = f"nearest: {verdict}" if reasons[point.candidate] else "recommended"
        elif point.candidate == fp32_of(points[0].candidate):
            verdict = "; ".join(filter(None, ("FP32 of the first", reasons[point.candidate])))
        elif point.rung < RUNGS - 1:
            verdict = f"dropped after rung {point.rung + 1}: {verdict}"
        delta1 = "-" if point.delta1 is None else f"{point.delta1:.4f}"
        rows.append([point.candidate.name, f"{point.fps:.0f}", f"{point.iou:.4f}", delta1, verdict])
    return rows


def _page(points: list[Point], rows: Rows, constraints: Constraints, command: str) -> str:
    from html import escape

    from edge.benchmarks.reporting.html import document, html_table, section
    from edge.benchmarks.reporting.plots import trade_off

    best = points[0]
    title = f"{NONE_MEETS}. The nearest: " if _reasons(points, constraints)[best.candidate] else ""
    title += (
        f"{best.candidate.name} runs at {best.fps:.0f} fps with an IoU of {best.iou:.4f};"
        f" asked were {constraints.fps:g} fps and at most {constraints.drop:g} below the best."
    )
    plotted = [(p.candidate.name, p.p50_ms, p.iou) for p in _finalists(points)]
    return document(
        "edge tune",
        [
            f"<h1>{escape(title)}</h1>",
            f"<pre>{escape(best.candidate.command)}</pre>",
            section("The finalists", trade_off(plotted, "IoU of the mask")),
            section("Every candidate", html_table(rows)),
            section("The command", f"<pre>{escape(command)}</pre>"),
        ],
    )
