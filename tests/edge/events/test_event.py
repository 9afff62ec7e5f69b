"""The published form of an event."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import jsonschema
import pytest

from edge.events.event import ENDED_BY, KINDS, Event
from edge.events.schema import PROPERTIES, schema

PAGE = Path(__file__).parents[3] / "docs" / "event.schema.json"
LEAST = Event("a-once", "a", "line_crossed", "door", "2026-11-28T06:00:00.000+00:00", 12.0, "once")
FULL = Event(
    "b-end", "b", "zone_left", "Tür", "2026-11-28T06:00:00.000+02:00", 1 / 3, "end", 7, "hall",
    "in", 2, (1, 2, 3, 4), (10.123, 20.0), 0.51234, 4.5678, 0.9876, 1.2345, (576, 768), "person",
    0.777777, "…", "a/b.jpg", "a/b.mp4",
)  # fmt: skip


def test_the_published_schema_is_that_of_the_code() -> None:
    """If not: python -m edge.events.schema > docs/event.schema.json"""
    assert json.loads(PAGE.read_text()) == schema()
    jsonschema.Draft7Validator.check_schema(schema())


def test_every_field_has_a_key() -> None:
    assert list(PROPERTIES) == ["schema", *(field.name for field in fields(Event))]


@pytest.mark.parametrize("event", [LEAST, FULL], ids=["least", "full"])
def test_a_line_fits_the_schema(event: Event) -> None:
    line = event.as_json()
    assert "\n" not in line
    jsonschema.validate(json.loads(line), schema())


def test_values_survive_and_are_rounded() -> None:
    value = json.loads(FULL.as_json())
    assert (value["foot"], value["depth"], value["source_time"]) == ([10.1, 20.0], 0.512, 0.333)
    assert (value["camera"], value["box"], value["size"]) == ("Tür", [1, 2, 3, 4], [576, 768])
    assert json.loads(LEAST.as_json())["track"] is None


@pytest.mark.parametrize(
    ("key", "value"),
    [("kind", "person"), ("phase", "start"), ("box", [1, 2, 3]), ("depth", 1.5), ("schema", 2),
     ("track", 0), ("camera", ""), ("id", None), ("other", 1)],
)  # fmt: skip
def test_the_schema_refuses_what_is_none(key: str, value: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**json.loads(FULL.as_json()), key: value}, schema())


def test_ends_are_kinds() -> None:
    assert set(ENDED_BY) | set(ENDED_BY.values()) <= set(KINDS)
