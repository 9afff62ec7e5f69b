"""Match found events with expected ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge.benchmarks.events.expected import Expected, Footage

TOLERANCE_S = 2.0
"""Seconds by which a begin or an end may be off: inertia, and how well the frames were read."""


@dataclass(frozen=True)
class Found:
    """An event that was found: its begin, and its end or None."""

    begin: dict[str, Any]
    end: dict[str, Any] | None


@dataclass(frozen=True)
class Score:
    """What was missed, and which found events nobody expected."""

    missed: list[Expected]
    false: list[Found]


def match(footage: Footage, events: Sequence[dict[str, Any]]) -> Score:
    """Pair expected events with found ones of their kind, zone and direction, the nearest first."""
    ends = {event["incident"]: event for event in events if event["phase"] == "end"}
    found = [
        Found(event, ends.get(event["incident"]))
        for event in events
        if event["kind"] in footage.judged and event["phase"] != "end"
    ]
    last = max((event["source_time"] for event in events), default=0.0)
    pairs = sorted(
        (abs(each.begin["source_time"] - expected.begin), i, j)
        for i, expected in enumerate(footage.expected)
        for j, each in enumerate(found)
        if _same(expected, each, last)
    )
    of: dict[int, int] = {}
    for _, i, j in pairs:
        if i not in of and j not in of.values():
            of[i] = j
    return Score(
        [each for i, each in enumerate(footage.expected) if i not in of],
        [each for j, each in enumerate(found) if j not in of.values()],
    )


def _same(expected: Expected, found: Found, last: float) -> bool:
    """Whether a found event can be an expected one; `last` is the end of the footage."""
    begin = found.begin
    wanted = expected.kind, expected.zone, expected.direction
    if wanted != (begin["kind"], begin["zone"], begin["direction"]):
        return False
    if abs(begin["source_time"] - expected.begin) > TOLERANCE_S:
        return False
    if found.end is None:
        return expected.end is None
    end = last if expected.end is None else expected.end
    return bool(abs(found.end["source_time"] - end) <= TOLERANCE_S)
