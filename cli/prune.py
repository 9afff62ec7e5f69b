"""`edge prune`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from edge.cli.options import Samples_, parse_imgsz, resized_samples
from edge.cli.train import (
    CHOSEN_BY,
    Accelerator,
    Batch,
    Data,
    DepthTeacher,
    Every,
    Imgsz,
    LeaveOut,
    Precision,
    Seed,
    Validate,
    Workers,
    fabric_of,
    names_of,
    read_data,
    reporting,
)
from edge.errors import UsageError
from edge.progress import note

if TYPE_CHECKING:
    from edge.targets.table import Target
    from edge.train.data.mix import Batch as Pictures
    from edge.train.prune import Goal

WEIGHED = 16
"""Batches on which the importance of channels is measured."""


def prune(
    checkpoint: Annotated[Path, typer.Argument(help="best.pt of a run of `edge train`.")],
    target_macs: Annotated[
        Optional[float], typer.Option(help="Share of the multiplications to keep, as in 0.5.")
    ] = None,
    target_fps: Annotated[
        Optional[float],
        typer.Option(help="Frames a second of the int8 build, measured on this machine."),
    ] = None,
    target: Annotated[
        str, typer.Option(help="What it is pruned for: auto, openvino, onnxruntime, ...")
    ] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="Threads for --target-fps.")] = 1,
    samples: Samples_ = "rendered:16",
    build_imgsz: Annotated[
        str, typer.Option(help="WIDTHxHEIGHT of the build that --target-fps measures.")
    ] = "224",
    data: Data = None,
    out: Annotated[Path, typer.Option(help="Folder of the runs, one for each step.")] = Path(
        "runs/pruned"
    ),
    steps: Annotated[int, typer.Option(min=1, help="Rounds of pruning and training.")] = 3,
    pictures: Annotated[
        int, typer.Option(min=1, help="Pictures of training after each round.")
    ] = 16000,
    batch: Batch = 16,
    imgsz: Imgsz = 176,
    rate: Annotated[float, typer.Option(min=0, help="Highest learning rate.")] = 1e-3,
    leave_out: LeaveOut = "",
    validate: Validate = None,
    depth_teacher: DepthTeacher = None,
    precision: Precision = "32-true",
    accelerator: Accelerator = "auto",
    workers: Workers = 1,
    every: Every = 250,
    seed: Seed = 0,
) -> None:
    """Make a network smaller: drop the channels that matter least for what they cost.

    After each round the network is trained on, and imitates the one it was made from. The same
    command goes on with a run that was stopped.
    """
    row = _target(target, target_macs, target_fps)

    from edge.train.checkpoint import load
    from edge.train.data.mix import Mix
    from edge.train.loop import train as run
    from edge.train.losses import usual_depth
    from edge.train.prune import prune as make
    from edge.train.recipe import Recipe

    goal = _goal(row, target_macs, target_fps, threads, samples, build_imgsz)
    fabric = fabric_of(accelerator, precision)
    state = load(checkpoint)
    recipe = Recipe(
        network=str(state["network"]),
        **state.get("variant", {}),
        depth_loss=usual_depth(imgsz),
        data=tuple(data or ["rendered"]),
        leave_out=names_of(leave_out),
        epochs=1,
        pictures=pictures,
        batch=batch,
        imgsz=imgsz,
        rate=rate,
        seed=seed,
        distill=(str(checkpoint),),
        depth_teacher=str(depth_teacher or ""),
        validate=tuple(validate or CHOSEN_BY),
        precision=precision,
    )
    sources, judged = read_data(recipe)

    def weighed() -> Iterable[Pictures]:
        # Pictures that training does not see: the series of another seed.
        return Mix(sources, seed=seed + 1, start=0, end=WEIGHED * batch, batch=batch)

    def train(start: Path, folder: Path) -> Path:
        step = replace(recipe, start=str(start))
        with reporting(folder.name, step, every, first=True) as report:
            [best] = run(
                step,
                sources,
                judged,
                folder,
                fabric=fabric,
                resume=True,
                workers=workers,
                every=every,
                report=report,
            )
            return best

    try:
        best = make(checkpoint, out, goal, steps, weighed, train)
    except KeyboardInterrupt:
        note(f"stopped; the same command goes on in {out}")
        raise
    note(f"pruned weights: {best}; next: edge export {best}")
    print(best)


def _target(name: str, target_macs: Optional[float], target_fps: Optional[float]) -> Target:
    """The target to prune for, after checking the goal that goes with it."""
    from edge.targets.table import choose

    row = choose(name)
    if (target_macs is None) == (target_fps is None):
        raise UsageError("give one of --target-macs (a share, as in 0.5) and --target-fps")
    if target_macs is not None and not 0 < target_macs < 1:
        raise UsageError(f"--target-macs {target_macs}: expected a share between 0 and 1")
    if target_fps is not None and target_fps <= 0:
        raise UsageError(f"--target-fps {target_fps}: expected more than 0")
    if target_fps is not None and not row.runs_here:
        raise UsageError(
            f"--target-fps is measured on this machine, where {row.name} does not run;"
            " prune by --target-macs"
        )
    return row


def _goal(
    row: Target,
    target_macs: Optional[float],
    target_fps: Optional[float],
    threads: int,
    samples: str,
    imgsz: str,
) -> Goal:
    from edge.calibrate.samples import open_samples
    from edge.train.profile import Stopwatch
    from edge.train.prune import Goal, arithmetic

    if target_fps is None:
        return Goal(arithmetic, "MACs", row.channels, share=target_macs)
    clock = Stopwatch(row, resized_samples(open_samples(samples), 16, parse_imgsz(imgsz)), threads)
    return Goal(clock.milliseconds, "ms", row.channels, most=1e3 / target_fps)
