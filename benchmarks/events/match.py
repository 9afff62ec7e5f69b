"""Match found events with expected ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge.benchmarks.events.expected import Expected, Footage

TOLERANCE_S = 2.0
"""Seconds by which a found event may be off: inertia, and how well the frames were read."""


@dataclass(frozen=True)
class Score:
    """What was missed, and which found events nobody expected."""

    missed: list[Expected]
    false: list[dict[str, Any]]


def match(footage: Footage, events: Sequence[dict[str, Any]]) -> Score:
    """Pair each expected event with the nearest found one of its kind, zone and direction.

    Ends at the end of the footage, of what is still there, count as neither.
    """
    judged = [event for event in events if event["kind"] in footage.judged]
    last = max((event["source_time"] for event in events), default=0.0)
    pairs = sorted(
        (abs(event["source_time"] - expected.at), i, j)
        for i, expected in enumerate(footage.expected)
        for j, event in enumerate(judged)
        if _same(expected, event) and abs(event["source_time"] - expected.at) <= TOLERANCE_S
    )
    taken: set[int] = set()
    matched: set[int] = set()
    for _, i, j in pairs:
        if i not in matched and j not in taken:
            matched.add(i)
            taken.add(j)
    return Score(
        [each for i, each in enumerate(footage.expected) if i not in matched],
        [
            event
            for j, event in enumerate(judged)
            if j not in taken and not (event["phase"] == "end" and event["source_time"] >= last)
        ],
    )


def _same(expected: Expected, event: dict[str, Any]) -> bool:
    return (
        expected.kind == event["kind"]
        and (expected.kind not in ("left_behind", "taken_away") or event["phase"] == "begin")
        and expected.zone == event["zone"]
        and expected.direction == event["direction"]
    )
