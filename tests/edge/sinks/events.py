"""Events for the tests of sinks."""

from __future__ import annotations

import itertools
from typing import Any

from edge.events.event import Event

_numbers = itertools.count(1)


def event(**given: Any) -> Event:
    """An event; ids are e1, e2, ..."""
    name = f"e{next(_numbers)}"
    return Event(
        **{
            "id": name,
            "incident": name,
            "kind": "line_crossed",
            "camera": "door",
            "time": "2026-11-28T10:00:00.000+01:00",
            "source_time": 1.5,
            "phase": "once",
            **given,
        }
    )
