"""How many are in a zone: every change is told, and only changes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from edge.events.occupancy import Crowding, Occupancy


def look(at: float, kind: str = "counted", limit: int | None = None, **inside: int) -> Any:
    """Zones with so many in them."""
    zones = {
        name: SimpleNamespace(
            inside=dict.fromkeys(range(count), 0.0),
            zone=SimpleNamespace(kind=kind, max_count=limit),
        )
        for name, count in inside.items()
    }
    return SimpleNamespace(at=at, zones=zones)


def test_only_changes_are_told_and_an_empty_zone_is_none() -> None:
    told: list[tuple[float, str, int]] = []
    reporter: Any = SimpleNamespace(
        once=lambda kind, at, zone, count: told.append((at, zone, count))
    )
    occupancy = Occupancy(reporter)
    for at, hall in ((0.0, 0), (1.0, 2), (2.0, 2), (3.0, 0)):
        occupancy.update(look(at, hall=hall, yard=0))
    assert told == [(1.0, "hall", 2), (3.0, "hall", 0)]
    occupancy.update(look(4.0, "restricted", hall=5))
    assert len(told) == 2


@pytest.mark.parametrize(("limit", "crowded"), [(None, False), (3, False), (2, True), (0, True)])
def test_one_more_than_the_limit_is_a_crowd(limit: int | None, crowded: bool) -> None:
    facts = list(Crowding().facts(look(0.0, limit=limit, hall=3)))
    assert [(fact.zone, fact.count) for fact in facts] == ([("hall", 3)] if crowded else [])
