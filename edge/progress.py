"""Progress bars on stderr; results go to stdout and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

stderr = Console(stderr=True, soft_wrap=True)
Item = TypeVar("Item")


def bar() -> Progress:
    """A progress display that leaves stdout alone and is silent where nobody watches."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=stderr,
        redirect_stdout=False,
        disable=not stderr.is_terminal,
    )


def track(items: Iterable[Item], total: int, description: str) -> Iterator[Item]:
    """The items, with a bar that moves with each."""
    with bar() as progress:
        yield from progress.track(items, total=total, description=description)


def note(message: str) -> None:
    """One line for the person at the terminal."""
    stderr.print(message, highlight=False, markup=False)
