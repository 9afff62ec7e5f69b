"""Hours of the week."""

from __future__ import annotations

import time

import pytest

from edge.errors import UsageError
from edge.zones.hours import parse_hours


def at(day: int, hour: int, minute: int = 0) -> float:
    """Unix time of a local time in a week whose Monday is 5 January 2026."""
    return time.mktime((2026, 1, 5 + day, hour, minute, 0, 0, 0, -1))


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("08:00-18:00", [at(0, 8), at(6, 17, 59)], [at(0, 7, 59), at(0, 18)]),
        ("22:00-06:00", [at(0, 22), at(0, 5, 59), at(3, 23)], [at(0, 6), at(0, 21, 59)]),
        ("mon-fri 08:00-18:00", [at(0, 12), at(4, 12)], [at(5, 12), at(6, 12)]),
        ("fri-mon 08:00-18:00", [at(4, 12), at(6, 12), at(0, 12)], [at(1, 12), at(3, 12)]),
        ("sun 00:00-24:00", [at(6, 0), at(6, 23, 59)], [at(5, 23, 59), at(7, 0)]),
        # The night of Friday ends on Saturday; that of Thursday is not meant.
        ("fri 22:00-06:00", [at(4, 23), at(5, 5)], [at(4, 5), at(5, 23), at(6, 5)]),
        ("SUN 22:00-06:00", [at(6, 22), at(7, 5)], [at(0, 5, 59) + 7 * 86_400 + 3600]),
    ],
)
def test_what_is_in(text: str, inside: list[float], outside: list[float]) -> None:
    hours = parse_hours(text)
    assert all(hours.include(when) for when in inside)
    assert not any(hours.include(when) for when in outside)


@pytest.mark.parametrize(
    "text",
    ["", "8:00-18:00", "08:00", "08:00-08:00", "24:00-08:00", "08:00-24:01", "08:60-09:00",
     "mo 08:00-09:00", "mon-xxx 08:00-09:00", "08:00-18:00 mon"],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="expected hours as in 22:00-06:00"):
        parse_hours(text)
