"""A check: it ends in ok, failed or skipped, and says what it saw."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from edge.progress import note

OK, FAILED, SKIPPED = "ok", "failed", "skipped"


class Failed(Exception):
    """The GPU, or our use of it, does not do what it must: found and expected."""


class Skipped(Exception):
    """Why there is nothing to check."""


@dataclass(frozen=True)
class Seen:
    """What a check that passed saw: one line, and the numbers of it by name."""

    text: str
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """name: of the check; status: OK, FAILED or SKIPPED; text: what was seen, or the reason."""

    name: str
    status: str
    text: str
    seconds: float
    values: dict[str, Any] = field(default_factory=dict)


def run(name: str, check: Callable[[], Seen]) -> Result:
    """Run a check. Whatever it raises is its result, so that the next ones still run."""
    note(f"{name} ...")
    start = time.monotonic()
    status, values = OK, {}
    try:
        seen = check()
        text, values = seen.text, seen.values
    except Skipped as reason:
        status, text = SKIPPED, str(reason)
    except Failed as reason:
        status, text = FAILED, str(reason)
    except Exception as error:
        # Of CUDA, TensorRT or an array library, in a class of its own.
        status, text = FAILED, f"{type(error).__name__}: {' '.join(str(error).split())}"
    return Result(name, status, text, round(time.monotonic() - start, 2), values)
