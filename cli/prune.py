"""`edge prune`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from edge.cli import training
from edge.cli.options import Samples_, parse_imgsz, refuse_unused, resized_samples
from edge.cli.training import DEFAULT_VALIDATION, reporting, split_names
from edge.errors import UsageError
from edge.progress import note

if TYPE_CHECKING:
    from edge.targets import Target
    from edge.train.data.mix import Batch
    from edge.train.prune import Goal
    from edge.train.recipe import Recipe

IMPORTANCE_BATCHES = 16
"""Most batches on which the importance of channels is measured: as many as a step trains on."""
TIMED_SAMPLES = 16
"""Samples that calibrate and time the builds of --target-fps."""

TargetMacs = Annotated[
    Optional[float], typer.Option(help="Share of the MACs per frame to keep, as in 0.5.")
]
TargetFps = Annotated[
    Optional[float],
    typer.Option(help="Frames per second of the int8 build, measured on this machine."),
]
TargetName = Annotated[
    str, typer.Option(help="Target to prune for: auto, openvino, onnxruntime, ...")
]
Importance = Annotated[str, typer.Option(help="Importance of a channel: taylor.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads of the builds of --target-fps.")]
BuildImgsz = Annotated[
    str, typer.Option(help="Image size of the builds of --target-fps, WIDTHxHEIGHT.")
]
Out = Annotated[Path, typer.Option(help="Folder of the steps, one run each.")]
Steps = Annotated[int, typer.Option(min=1, help="Steps of pruning and training.")]
Pictures = Annotated[int, typer.Option(min=1, help="Training images after each step.")]


def prune(
    ctx: typer.Context,
    checkpoint: Annotated[
        Path,
        typer.Argument(
            help="best.pt of a run of `edge train`, an ONNX file of `edge export`, or a bundled"
            " network (nano, small, tiny)."
        ),
    ],
    target_macs: TargetMacs = None,
    target_fps: TargetFps = None,
    target: TargetName = "auto",
    importance: Importance = "taylor",
    threads: Threads = 1,
    samples: Samples_ = "rendered:16",
    build_imgsz: BuildImgsz = "224",
    data: training.Data = None,
    out: Out = Path("runs/pruned"),
    steps: Steps = 3,
    pictures: Pictures = 16000,
    batch: training.Batch = 16,
    imgsz: training.Imgsz = 176,
    rate: training.Rate = 1e-3,
    leave_out: training.LeaveOut = "",
    validate: training.Validate = None,
    depth_teacher: training.DepthTeacher = None,
    precision: training.Precision = "32-true",
    accelerator: training.Accelerator = "auto",
    workers: training.Workers = 1,
    every: training.Every = 250,
    seed: training.Seed = 0,
) -> None:
    """Prune a network: remove the channels of least importance for the MACs or the time they save.

    After each step the network is trained and imitates the original one. The same command resumes a
    stopped run.
    """
    chosen = _target(ctx, target, target_macs, target_fps)

    from edge.train.checkpoint import load
    from edge.train.importance import IMPORTANCES
    from edge.train.losses import default_depth_loss
    from edge.train.recipe import Recipe

    if importance not in IMPORTANCES:
        raise UsageError(f"--importance {importance}: known are {', '.join(IMPORTANCES)}")
    goal = _goal(chosen, target_macs, target_fps, threads, samples, build_imgsz)
    state = load(checkpoint)
    recipe = Recipe(
        network=str(state["network"]),
        **state.get("variant", {}),
        depth_loss=default_depth_loss(imgsz),
        data=tuple(data or ["rendered"]),
        leave_out=split_names(leave_out),
        epochs=1,
        pictures=pictures,
        batch=batch,
        imgsz=imgsz,
        rate=rate,
        seed=seed,
        distill=(str(checkpoint),),
        depth_teacher=str(depth_teacher or ""),
        validate=tuple(validate or DEFAULT_VALIDATION),
        precision=precision,
    )
    _run(checkpoint, out, goal, steps, importance, recipe, accelerator, workers, every)


def _run(
    checkpoint: Path,
    out: Path,
    goal: Goal,
    steps: int,
    importance: str,
    recipe: Recipe,
    accelerator: str,
    workers: int,
    every: int,
) -> None:
    """Prune and train in turn, and print the path of the last best weights."""
    from edge.train.data.mix import Mix, batches
    from edge.train.loop import train as run_training
    from edge.train.prune import prune as prune_in_steps
    from edge.train.setup import create_fabric, read_data

    fabric = create_fabric(accelerator, recipe.precision)
    data = read_data(recipe)

    def importance_batches() -> Iterable[Batch]:
        # The series of another seed, which is not trained on.
        end = min(IMPORTANCE_BATCHES, recipe.steps) * recipe.batch
        return batches(
            Mix(data.sources, seed=recipe.seed + 1, start=0, end=end, batch=recipe.batch)
        )

    def train(start: Path, folder: Path) -> Path:
        step = replace(recipe, start=str(start))
        with reporting(folder.name, step.steps, every, main_process=True) as report:
            [best] = run_training(
                step,
                data.sources,
                data.validation,
                folder,
                fabric=fabric,
                resume=True,
                workers=workers,
                every=every,
                report=report,
            )
            return best

    try:
        best = prune_in_steps(checkpoint, out, goal, steps, importance_batches, train, importance)
    except KeyboardInterrupt:
        note(f"stopped; the same command continues in {out}")
        raise
    note(f"pruned weights: {best}; next: edge export {best}")
    print(best)


def _target(
    ctx: typer.Context, name: str, target_macs: Optional[float], target_fps: Optional[float]
) -> Target:
    """The target to prune for, after checking the goal that goes with it."""
    from edge.targets import choose

    if (target_macs is None) == (target_fps is None):
        raise UsageError("give one of --target-macs (a share, as in 0.5) and --target-fps")
    if target_macs is not None and not 0 < target_macs < 1:
        raise UsageError(f"--target-macs {target_macs}: expected a share between 0 and 1")
    if target_fps is not None and target_fps <= 0:
        raise UsageError(f"--target-fps {target_fps}: expected more than 0")
    if target_fps is None:
        refuse_unused(ctx, "without --target-fps", "threads", "samples", "build_imgsz")
    target = choose(name)
    if target_fps is not None and not target.runs_here():
        raise UsageError(
            f"--target-fps is measured on this machine, where {target.name} does not run",
            "prune by --target-macs",
        )
    return target


def _goal(
    target: Target,
    target_macs: Optional[float],
    target_fps: Optional[float],
    threads: int,
    samples: str,
    build_imgsz: str,
) -> Goal:
    from edge.calibrate.samples import open_samples
    from edge.train.profile import BuildTimer
    from edge.train.prune import Goal, measure_macs

    if target_fps is None:
        return Goal(measure_macs, "MACs", target.channels, share=target_macs)
    size = parse_imgsz(build_imgsz)
    frames = resized_samples(open_samples(samples), TIMED_SAMPLES, size)
    timer = BuildTimer(target, frames, threads)
    channels = target.channels
    # Fewer channels than the kernels take at a time would take as long.
    return Goal(timer.milliseconds, "ms", channels, finest=channels, limit=1e3 / target_fps)
