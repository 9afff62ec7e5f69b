"""`edge networks`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from edge.cli.options import (
    Json,
    Samples_,
    command_line,
    network_of,
    parse_imgsz,
    refuse_unused,
)
from edge.errors import EdgeError, UsageError
from edge.progress import bar, note

if TYPE_CHECKING:
    from edge.train.networks.variant import Variant

SIDES = (64, 112, 224)
BATCH, BATCH_SIDE = 32, 64
"""Images, and their side, of the training step whose memory is listed; the seed's."""

Entry = dict[str, Any]


def networks(
    ctx: typer.Context,
    inputs: Annotated[
        Optional[str],
        typer.Option(
            help="Inputs of the networks: spread (bg, its spread and the frame), both (bg and"
            " frame), or fg_bg, the frame alone.  [default: spread for our own networks, else both]"
        ),
    ] = None,
    outputs: Annotated[
        str, typer.Option(help="Outputs of the networks: mask, depth or both.")
    ] = "both",
    runs: Annotated[
        Optional[Path],
        typer.Option(help="Folder of runs of `edge train`: measure the best.pt of each as well."),
    ] = None,
    samples: Samples_ = "rendered:64:777",
    count: Annotated[int, typer.Option(min=1, help="Largest number of samples of --runs.")] = 200,
    imgsz: Annotated[
        str,
        typer.Option(help="Image size of --runs, WIDTHxHEIGHT; networks of one size keep theirs."),
    ] = "224",
    as_json: Json = False,
) -> None:
    """List the networks that can be trained: parameters, MACs, memory of training.

    With --runs each trained network is built in FP32 and INT8 and measured on --samples with one
    thread. Prints Markdown, as in docs/networks.md.
    """
    from edge.train.networks import NETWORKS, ONE_VARIANT, OURS
    from edge.train.networks.variant import Variant

    if runs is None:
        refuse_unused(ctx, "without --runs", "samples", "count", "imgsz")
    try:
        variants = {
            name: Variant(inputs or ("spread" if name in OURS else "both"), outputs)
            for name in NETWORKS
        }
    except ValueError as error:
        raise UsageError(f"--{error}") from error
    entries = [
        _profile(name, variant)
        for name, variant in variants.items()
        if ONE_VARIANT.get(name, variant) == variant and (name in OURS or not variant.sees_spread)
    ]
    measured = _measure(runs, samples, count, imgsz) if runs is not None else []
    if as_json:
        document: Entry = {"outputs": outputs, "networks": entries}
        print(json.dumps(document | ({"runs": measured} if runs is not None else {})))
        return
    print("\n".join(_profile_table(entries)))
    if runs is not None:
        words = ["edge", "networks", "--runs", runs, "--samples", samples, "--count", count]
        words += ["--imgsz", imgsz]
        print("\n".join(["", *_score_table(measured), "", f"    {command_line(words)}"]))


def _profile(name: str, variant: Variant) -> Entry:
    """name, inputs, params, training_mb, and by side macs and frame_macs (None at sizes that the
    network does not take)."""
    from edge.train.networks import create
    from edge.train.profile import macs, training_memory

    # On torch's meta device shapes are followed and nothing is computed.
    network = create(name, variant).to("meta")
    supported = [side for side in SIDES if network.only in (None, (side, side))]
    return {
        "name": name,
        "inputs": variant.inputs,
        "params": sum(p.numel() for p in network.parameters()),
        "training_mb": round(training_memory(network, BATCH, BATCH_SIDE) / 1e6),
        "macs": {str(s): macs(network, s, scene=True) if s in supported else None for s in SIDES},
        "frame_macs": {str(s): macs(network, s) if s in supported else None for s in SIDES},
    }


def _profile_table(entries: list[Entry]) -> list[str]:
    heads = [f"MMAC at {side}" for side in SIDES]
    lines = [
        f"| network | parameters | {' | '.join(heads)} | training, MB |",
        "|" + " --- |" * (3 + len(SIDES)),
    ]
    for entry in entries:
        cells = " | ".join(_macs_cell(entry, side) for side in SIDES)
        lines.append(
            f"| `{entry['name']}` | {entry['params']:,} | {cells} | {entry['training_mb']:,} |"
        )
    return [
        *lines,
        "",
        "In brackets: per frame, with the background's part as a constant. Training: a step of"
        f" {BATCH} images of {BATCH_SIDE}x{BATCH_SIDE} in float32, with AdamW.",
    ]


def _macs_cell(entry: Entry, side: int) -> str:
    total, frame = entry["macs"][str(side)], entry["frame_macs"][str(side)]
    if total is None:
        return "-"
    text = f"{total / 1e6:,.0f}"
    return text if total == frame else f"{text} ({frame / 1e6:,.0f})"


def _measure(runs: Path, samples: str, count: int, imgsz: str) -> list[Entry]:
    """FP32 and INT8 of every run, measured in one interleaved run on this machine's best target."""
    from edge.benchmarks.measuring.bench import Settings, bench
    from edge.calibrate.labelled import report_skipped

    checkpoints = sorted(runs.glob("*/best.pt"))
    if not checkpoints:
        raise EdgeError(f"no */best.pt in {runs}", f"`edge train --out {runs}/NAME` makes one")
    with tempfile.TemporaryDirectory(prefix="edge-networks-") as folder:
        builds = [
            _build(checkpoint, Path(folder) / checkpoint.parent.name, parse_imgsz(imgsz))
            for checkpoint in checkpoints
        ]
        with bar() as progress:
            tasks = {
                stage: progress.add_task(stage, total=None)
                for stage in ("samples", "start", "accuracy", "speed", "paced")
            }
            report = bench(
                builds,
                Settings(samples=samples, count=count, threads=1, iterations=70, duration=1.0),
                lambda stage, done, total: progress.update(
                    tasks[stage], completed=done, total=total
                ),
            ).report.to_json()
    report_skipped(report["samples"]["skipped"])
    keys = (
        "network", "target", "precision", "imgsz", "size_mb", "latency_ms", "mask", "depth"
    )  # fmt: skip
    return [
        {key: entry.get(key) for key in keys}
        | {"samples": report["samples"], "machine": report["machine"]}
        for entry in report["builds"]
        if entry["folded"]
    ]


def _build(checkpoint: Path, out: Path, imgsz: tuple[int, int]) -> Path:
    """The INT8 build of a checkpoint; a network of one size is built at that."""
    from edge.calibrate.pipeline import BuildRequest, build
    from edge.train.checkpoint import network_of as read_network

    note(f"building {out.name}")
    only = read_network(checkpoint)[0].only
    size = only if isinstance(only, tuple) else imgsz
    model, request = network_of(BuildRequest(model=str(checkpoint), imgsz=size))
    build(request, out, network=model)
    return out


def _score_table(measured: list[Entry]) -> list[str]:
    lines = [
        "| run | size | MB | p50, ms | mask IoU | F-measure | AbsRel | RMSE | delta1 |",
        "|" + " --- |" * 9,
    ]
    for entry in measured:
        height, width = entry["imgsz"]
        scores = [
            "-" if (entry[part] or {}).get(key) is None else f"{entry[part][key]:.4f}"
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
        + ("" if samples["depth"] == "truth" else " They have no depth."),
    ]
