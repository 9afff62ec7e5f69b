"""Progress bars and notes on stderr; results go to stdout."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
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
QUIET_S = 30.0
"""Seconds after which something that goes on says so where no bar is shown."""


def bar(shown: bool = True) -> Progress:
    """Return a progress display on stderr, disabled where stderr is not a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=stderr,
        redirect_stdout=False,
        disable=not (shown and stderr.is_terminal),
    )


def track(items: Iterable[Item], total: int, description: str) -> Iterator[Item]:
    """Yield the items and advance a bar of `total` with each; without a terminal, say now and then
    how far it is."""
    with bar() as progress:
        if not progress.disable:
            yield from progress.track(items, total=total, description=description)
            return
        due = Due()
        for done, item in enumerate(items):
            if due():
                note(f"{description}: {done} of {total}")
            yield item


class Due:
    """Whether it is time to say again that something goes on; called, True every QUIET_S."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def __call__(self) -> bool:
        if time.monotonic() - self._said < QUIET_S:
            return False
        self._said = time.monotonic()
        return True


_held: ContextVar[list[str] | None] = ContextVar("held", default=None)


@contextmanager
def held_notes() -> Iterator[None]:
    """Print the notes of the block at its end, and none where it fails: what is tried again and
    again would say the same each time. Those of other threads are printed as they come."""
    messages: list[str] = []
    token = _held.set(messages)
    try:
        yield
    finally:
        _held.reset(token)
    for message in messages:
        note(message)


def note(message: str) -> None:
    """Print one line on stderr."""
    if (held := _held.get()) is not None:
        held.append(message)
        return
    stderr.print(message, highlight=False, markup=False)
