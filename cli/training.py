"""Options and progress that `edge train` and `edge prune` share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from edge.progress import Due, bar, note

if TYPE_CHECKING:
    from edge.train.loop import Progress

Data = Annotated[
    Optional[list[str]],
    typer.Option(
        help="Source of training images, repeatable: [composites:]PLACE[=WEIGHT]. PLACE is a folder"
        " of labelled sequences, a folder in the seed's layout, rendered[:COUNT[:SEED]], or, after"
        " composites:, a folder with backgrounds/ and foregrounds/.  [default: rendered]"
    ),
]
Batch = Annotated[int, typer.Option(min=1, help="Images per step over all devices.")]
Imgsz = Annotated[int, typer.Option(min=32, help="Side of the training images in pixels.")]
Rate = Annotated[float, typer.Option(min=0, help="Peak learning rate.")]
LeaveOut = Annotated[
    str, typer.Option(help="Sequences that are never trained on, separated by commas.")
]
Validate = Annotated[
    Optional[list[str]],
    typer.Option(
        help="Samples that choose the best weights, repeatable: rendered[:COUNT[:SEED]] or a"
        " folder; of a folder that is in --data too, the sequences of --leave-out."
        "  [default: rendered:48:9000]"
    ),
]
DEFAULT_VALIDATION = ("rendered:48:9000",)
DepthTeacher = Annotated[
    Optional[Path], typer.Option(help="ONNX network that labels depth where there is no label.")
]
Precision = Annotated[
    str, typer.Option(help="Training arithmetic: 32-true, bf16-mixed or 16-mixed (GPU).")
]
Accelerator = Annotated[str, typer.Option(help="Device: cpu, cuda or auto.")]
Workers = Annotated[
    int, typer.Option(min=0, help="Processes that make training images; 0: the trainer itself.")
]
Every = Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")]
Seed = Annotated[
    int, typer.Option(min=0, help="Random seed; on the CPU equal seeds give equal weights.")
]


def split_names(text: str) -> tuple[str, ...]:
    """Split `hall, yard` into names."""
    return tuple(name for part in text.split(",") if (name := part.strip()))


@contextmanager
def reporting(
    name: str, steps: int, every: int, main_process: bool
) -> Iterator[Callable[[Progress], None]]:
    """Show the progress of a training: a bar, or without a terminal a line every `every` steps,
    and where these are slow, now and then.

    Args:
        name: Of the training.
        steps: Steps of the run.
        every: Steps between two lines.
        main_process: Whether this process prints lines.

    Yields:
        The function to call after each step.
    """
    with bar() as progress:
        task = progress.add_task(name, total=steps)
        due = Due()
        if progress.disable and main_process:
            note(f"{name}: {steps} steps")

        def report(state: Progress) -> None:
            scores = " ".join(f"{key} {value:.3f}" for key, value in state.scores.items())
            progress.update(
                task, completed=state.step, description=f"{name} loss {state.loss:.3f} {scores}"
            )
            told = state.step % every == 0 or due()
            if progress.disable and told and main_process:
                note(f"{name} {state.step}/{state.steps} loss {state.loss:.3f} {scores}")

        yield report
