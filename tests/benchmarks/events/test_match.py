"""Found events beside expected ones."""

from __future__ import annotations

from typing import Any

from edge.benchmarks.events.expected import FOOTAGE, Expected, Footage
from edge.benchmarks.events.match import match
from edge.events.event import KINDS
from edge.zones.file import as_json, parse_zones

ROAD = Footage(
    "road",
    "road.avi",
    None,
    (),
    ("zone_entered", "line_crossed"),
    (
        Expected("zone_entered", 10.0, 20.0, "road"),
        Expected("zone_entered", 11.0, None, "road"),
        Expected("line_crossed", 5.0, None, "gate", "in"),
    ),
)


def event(kind: str, at: float, phase: str, zone: str, incident: str = "", **more: Any) -> Any:
    values = {"direction": None, "incident": incident, "track": 1, **more}
    return {"kind": kind, "source_time": at, "phase": phase, "zone": zone, **values}


def visit(begin: float, end: float, name: str, zone: str = "road") -> list[Any]:
    return [
        event("zone_entered", begin, "begin", zone, name),
        event("zone_left", end, "end", zone, name),
    ]


CROSSED = event("line_crossed", 5.5, "once", "gate", "c", direction="in")
LAST = event("left", 40.0, "end", "x", "d")


def test_what_fits_is_found() -> None:
    score = match(ROAD, [CROSSED, *visit(10.5, 21.0, "a"), *visit(11.5, 40.0, "b"), LAST])
    assert (score.missed, score.false) == ([], [])


def test_each_is_found_once() -> None:
    score = match(ROAD, [CROSSED, *visit(10.5, 21.0, "a"), LAST])
    assert [each.begin for each in score.missed] == [11.0]


def test_a_wrong_end_is_missed_and_false() -> None:
    score = match(ROAD, [CROSSED, *visit(10.5, 30.0, "a"), *visit(11.5, 40.0, "b"), LAST])
    assert len(score.missed) == len(score.false) == 1
    assert score.missed[0].end == 20.0


def test_zone_direction_and_time_count() -> None:
    wrong = [
        *visit(10.5, 21.0, "a", "lawn"),
        event("line_crossed", 5.5, "once", "gate", "c", direction="out"),
        *visit(14.5, 40.0, "b"),
        event("appeared", 10.0, "begin", "road", "e"),  # not judged
    ]
    score = match(ROAD, [*wrong, LAST])
    assert len(score.missed) == 3
    assert sorted(each.begin["incident"] for each in score.false) == ["a", "b", "c"]


def test_what_was_written_down_can_be_watched() -> None:
    for footage in FOOTAGE:
        assert set(footage.judged) <= set(KINDS)
        assert parse_zones(as_json(footage.zones)) == list(footage.zones)
        names = {zone.name: zone for zone in footage.zones}
        for expected in footage.expected:
            assert expected.kind in footage.judged
            if expected.zone is not None:
                assert expected.zone in names
            if expected.direction is not None:
                assert expected.direction in names[str(expected.zone)].directions
