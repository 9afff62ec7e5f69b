"""`edge networks`."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from edge.cli.options import Json, Samples_, command_line, report_skipped
from edge.errors import EdgeError, UsageError
from edge.progress import bar, note

if TYPE_CHECKING:
    from edge.train.networks.variant import Variant

SIDES = (64, 112, 224)
BATCH = 32
"""Pictures of 64x64 in the batch whose memory is given; the seed's."""

Entry = dict[str, Any]


def networks(
    inputs: Annotated[str, typer.Option(help="What they see: both pictures, or fg_bg.")] = "both",
    outputs: Annotated[str, typer.Option(help="What they give: mask, depth or both.")] = "both",
    runs: Annotated[
        Optional[Path],
        typer.Option(help="Folder of runs of `edge train`: measure the best.pt of each as well."),
    ] = None,
    samples: Samples_ = "rendered:64:777",
    count: Annotated[int, typer.Option(min=1, help="At most so many samples for --runs.")] = 200,
    imgsz: Annotated[
        str,
        typer.Option(help="WIDTHxHEIGHT for --runs; a network that takes one size keeps to that."),
    ] = "224",
    as_json: Json = False,
) -> None:
    """List the networks that can be trained: parameters, multiplications, memory of training.

    With --runs each trained one is built in FP32 and INT8 and measured on --samples, one thread.
    Prints Markdown, as in docs/networks.md.
    """
    from edge.train.networks import NETWORKS, ONE_VARIANT
    from edge.train.networks.variant import Variant

    try:
        variant = Variant(inputs, outputs)
    except ValueError as error:
        raise UsageError(f"--{error}") from error
    found = [
        _described(name, variant) for name in NETWORKS if ONE_VARIANT.get(name, variant) == variant
    ]
    measured = _measured(runs, samples, count, imgsz) if runs is not None else []
    if as_json:
        document: Entry = {"inputs": inputs, "outputs": outputs, "networks": found}
        print(json.dumps(document | ({"runs": measured} if runs is not None else {})))
        return
    print("\n".join(_listed(found)))
    if runs is not None:
        words = ["edge", "networks", "--runs", runs, "--samples", samples, "--count", count]
        words += ["--imgsz", imgsz]
        print("\n".join(["", *_scored(measured), "", f"    {command_line(words)}"]))


def _described(name: str, variant: Variant) -> Entry:
    """name, params, bytes of a training step, and by side macs and frame_macs (None at sizes that
    it does not take)."""
    from edge.train.networks import create
    from edge.train.profile import macs, training_memory

    # On torch's meta device shapes are followed and nothing is computed.
    network = create(name, variant).to("meta")
    fits = [side for side in SIDES if network.only in (None, (side, side))]
    return {
        "name": name,
        "params": sum(p.numel() for p in network.parameters()),
        "training_mb": round(training_memory(network, BATCH, 64) / 1e6),
        "macs": {str(s): macs(network, s, scene=True) if s in fits else None for s in SIDES},
        "frame_macs": {str(s): macs(network, s) if s in fits else None for s in SIDES},
    }


def _listed(found: list[Entry]) -> list[str]:
    heads = [f"MMAC at {side}" for side in SIDES]
    lines = [
        f"| network | parameters | {' | '.join(heads)} | training, MB |",
        "|" + " --- |" * (3 + len(SIDES)),
    ]
    for entry in found:
        cells = " | ".join(_macs(entry, side) for side in SIDES)
        lines.append(
            f"| `{entry['name']}` | {entry['params']:,} | {cells} | {entry['training_mb']:,} |"
        )
    return [
        *lines,
        "",
        "In brackets: per frame, where the share of the empty scene is a constant. Training: a step"
        f" of {BATCH} pictures of 64x64 in float32, with AdamW.",
    ]


def _macs(entry: Entry, side: int) -> str:
    whole, frame = entry["macs"][str(side)], entry["frame_macs"][str(side)]
    if whole is None:
        return "-"
    text = f"{whole / 1e6:,.0f}"
    return text if whole == frame else f"{text} ({frame / 1e6:,.0f})"


def _measured(runs: Path, samples: str, count: int, imgsz: str) -> list[Entry]:
    """FP32 and INT8 of every run, measured in one interleaved run on this machine's best target."""
    from edge.benchmarks.measuring.run import Settings, bench
    from edge.builder.write import write
    from edge.cli.build import make
    from edge.train.checkpoint import network_of

    checkpoints = sorted(runs.glob("*/best.pt"))
    if not checkpoints:
        raise EdgeError(f"no */best.pt in {runs}; `edge train --out {runs}/NAME` makes one")
    with tempfile.TemporaryDirectory(prefix="edge-networks-") as folder:
        builds = []
        for checkpoint in checkpoints:
            name = checkpoint.parent.name
            note(f"building {name}")
            only = network_of(checkpoint)[0].only
            size = f"{only[1]}x{only[0]}" if isinstance(only, tuple) else imgsz
            plan = make(
                str(checkpoint), name, "int8", "auto", "", size, "rendered", "minmax", 64, None
            )
            place = Path(folder) / name
            write(plan, place, time.monotonic())
            builds.append(place)
        with bar() as progress:
            tasks = {
                name: progress.add_task(name, total=None)
                for name in ("samples", "start", "accuracy", "speed", "paced")
            }
            report = bench(
                builds,
                Settings(samples=samples, count=count, threads=1, iterations=70, duration=1.0),
                lambda what, done, all_: progress.update(tasks[what], completed=done, total=all_),
            ).report
    report_skipped(report["samples"]["skipped"])
    return [
        {
            key: entry.get(key)
            for key in (
                "network", "target", "precision", "imgsz", "size_mb", "latency_ms", "mask", "depth"
            )
        }
        | {"samples": report["samples"], "machine": report["machine"]}
        for entry in report["builds"]
        if entry["folded"]
    ]  # fmt: skip


def _scored(measured: list[Entry]) -> list[str]:
    lines = [
        "| run | size | MB | p50, ms | mask IoU | F-measure | AbsRel | RMSE | delta1 |",
        "|" + " --- |" * 9,
    ]
    for entry in measured:
        height, width = entry["imgsz"]
        scores = [
            f"{entry[part][key]:.4f}" if entry[part] else "-"
            for part, key in (
                ("mask", "iou"), ("mask", "f_measure"),
                ("depth", "abs_rel"), ("depth", "rmse"), ("depth", "delta1"),
            )
        ]  # fmt: skip
        lines.append(
            f"| `{entry['network']}` {entry['precision']} | {width}x{height} |"
            f" {entry['size_mb']:.2f} | {entry['latency_ms']['p50']:.2f} | {' | '.join(scores)} |"
        )
    samples, machine = measured[0]["samples"], measured[0]["machine"]
    versions = ", ".join(f"{name} {v}" for name, v in machine["libraries"].items())
    return [
        *lines,
        "",
        f"{samples['count']} frames of {samples['sequences']} scenes ({samples['place']}),"
        f" {measured[0]['target']}, one thread, {machine['processor']}, {versions}."
        + ("" if samples["depth"] == "truth" else " Depth is compared with FP32's own."),
    ]
