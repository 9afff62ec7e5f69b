"""`edge train`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from edge.errors import UsageError
from edge.progress import bar, note, tracked

if TYPE_CHECKING:
    from edge.samples.sample import Sample


def train(
    data: Annotated[
        Optional[list[str]],
        typer.Option(
            help="A source of pictures, repeated: [composites:]PLACE[=WEIGHT]. PLACE is a folder of"
            " labelled sequences, a folder in the seed's layout, rendered[:COUNT[:SEED]], or, after"
            " composites:, a folder with backgrounds/ and foregrounds/.  [default: rendered]"
        ),
    ] = None,
    network: Annotated[str, typer.Option(help="Network, by its name in the table.")] = "small",
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/train"),
    epochs: Annotated[int, typer.Option(min=1)] = 10,
    pictures: Annotated[int, typer.Option(min=1, help="Pictures that make an epoch.")] = 8000,
    batch: Annotated[int, typer.Option(min=1, help="Batch over all devices.")] = 16,
    imgsz: Annotated[int, typer.Option(min=176, help="Side of the training pictures.")] = 176,
    rate: Annotated[float, typer.Option(min=0, help="Highest learning rate.")] = 3e-3,
    leave_out: Annotated[
        str, typer.Option(help="Sequences never trained on, separated by commas.")
    ] = "",
    validate: Annotated[
        Optional[list[str]],
        typer.Option(
            help="What chooses the best weights, repeated: rendered[:COUNT[:SEED]] or a folder;"
            " give sequences that are left out.  [default: rendered:48:9000]"
        ),
    ] = None,
    depth_teacher: Annotated[
        Optional[Path], typer.Option(help="ONNX network that labels depth where none is known.")
    ] = None,
    precision: Annotated[
        str, typer.Option(help="Arithmetic: 32-true, bf16-mixed or 16-mixed (GPU).")
    ] = "32-true",
    accelerator: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Processes, one device each.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="Machines.")] = 1,
    workers: Annotated[int, typer.Option(min=0, help="Processes that make pictures.")] = 1,
    every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 250,
    seed: Annotated[int, typer.Option(help="On the CPU the same seed gives the same run.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
) -> None:
    """Train a network; writes best.pt, last.pt and TensorBoard's events to --out."""
    from lightning_fabric import Fabric

    from edge.samples.open import open_samples
    from edge.samples.sample import in_sequences, spread
    from edge.samples.teacher import Teacher
    from train.loop import Progress, Recipe
    from train.loop import train as run
    from train.mix import open_source
    from train.networks import NETWORKS

    if network not in NETWORKS:
        raise UsageError(f"unknown network {network!r}; known: {', '.join(NETWORKS)}")
    if batch % (devices * nodes):
        raise UsageError(f"--batch {batch} is not a multiple of {devices * nodes} devices")
    strategy = "ddp" if devices * nodes > 1 else "auto"
    fabric = Fabric(
        accelerator=accelerator,
        devices=devices,
        num_nodes=nodes,
        strategy=strategy,
        precision=precision,  # type: ignore[arg-type]
    )
    fabric.launch()
    recipe = Recipe(
        network=network,
        data=tuple(data or ["rendered"]),
        leave_out=tuple(name for name in leave_out.split(",") if name),
        epochs=epochs,
        pictures=pictures,
        batch=batch,
        imgsz=imgsz,
        rate=rate,
        seed=seed,
    )
    teacher = Teacher(depth_teacher, os.cpu_count() or 1) if depth_teacher else None
    sources = [open_source(spec, imgsz, teacher, recipe.leave_out) for spec in recipe.data]
    judged: list[tuple[str, Sample]] = []
    for place in validate or ["rendered:48:9000"]:
        samples = open_samples(place)
        chosen = spread(samples, 48)
        judged += tracked(in_sequences(samples, chosen), len(chosen), f"reading {samples.name}")
    with bar() as progress:
        task = progress.add_task("training", total=recipe.steps)

        def report(state: Progress) -> None:
            scores = " ".join(f"{name} {value:.3f}" for name, value in state.scores.items())
            progress.update(
                task, completed=state.step, description=f"loss {state.loss:.3f} {scores}"
            )
            if not progress.disable or state.step % every or fabric.global_rank:
                return
            note(f"step {state.step}/{state.steps} loss {state.loss:.3f} {scores}")

        try:
            best = run(
                recipe,
                sources,
                judged,
                out,
                fabric=fabric,
                resume=resume,
                workers=workers,
                every=every,
                report=report,
            )
        except KeyboardInterrupt:
            note(f"stopped; the same command with --resume goes on from {out / 'last.pt'}")
            raise
    if fabric.global_rank == 0:
        note(f"best weights: {best}; next: edge export {best}")
        print(best)
