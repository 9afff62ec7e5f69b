"""Who crosses a line, and in which direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from edge.zones.line import LineWatch
from edge.zones.zone import Point, Zone

from .tracks import SIZE, track

GATE = Zone(
    "gate", "line", ((0.5, 0.2), (0.5, 0.8)), directions=("in", "out"), inertia_frames=2,
    inertia_s=0.0, hysteresis=0.02,
)  # fmt: skip
"""From (100, 20) down to (100, 80); seen that way, the right is the left side of the image."""


def crossings(line: Zone, feet: list[tuple[float, float] | None], **values: object) -> list[str]:
    watch = LineWatch(line, SIZE)
    found = []
    for number, foot in enumerate(feet):
        at = 0.1 * number
        seen = track(foot=foot, place=(1.0, 1.0) if foot is None else None, at=at, **values)
        found += [direction for _, direction in watch.crossed([seen], at)]
    return found


def way(begin: tuple[float, float], end: tuple[float, float], steps: int = 10):
    return [
        (begin[0] + (end[0] - begin[0]) * i / steps, begin[1] + (end[1] - begin[1]) * i / steps)
        for i in range(steps + 1)
    ]


def test_both_directions() -> None:
    assert crossings(GATE, way((140, 50), (60, 50))) == ["in"]
    assert crossings(GATE, way((60, 50), (140, 50))) == ["out"]
    assert crossings(GATE, [*way((60, 50), (140, 50)), *way((140, 50), (60, 50))]) == ["out", "in"]


def test_the_right_is_that_of_somebody_who_walks_along_the_line() -> None:
    """A line to the right on the image has its right below."""
    level = replace(GATE, points=((0.2, 0.5), (0.8, 0.5)), directions=("right", "left"))
    assert crossings(level, way((100, 30), (100, 70))) == ["right"]
    assert crossings(level, way((100, 70), (100, 30))) == ["left"]


def test_around_its_end_is_not_across() -> None:
    feet = [*way((60, 50), (60, 90)), *way((60, 90), (140, 90)), *way((140, 90), (140, 50))]
    assert crossings(GATE, feet) == []


def test_who_trembles_on_the_line_does_not_cross_it() -> None:
    feet = [(60.0, 50.0), *[(100.0 + 1.5 * (-1) ** i, 50.0) for i in range(40)]]
    assert crossings(GATE, feet) == []
    # And who goes back has not crossed it.
    assert crossings(GATE, [*feet, (60.0, 50.0)]) == []
    assert crossings(GATE, [*feet, *way((110, 50), (140, 50))]) == ["out"]


def test_one_frame_beyond_is_not_enough() -> None:
    assert crossings(GATE, [(60, 50), (140, 50), (60, 50), (60, 50)]) == []
    slow = replace(GATE, inertia_s=0.5)
    assert crossings(slow, [(60, 50), *[(140.0, 50.0)] * 5, (60, 50), (60, 50)]) == []
    assert crossings(slow, [(60, 50), *[(140.0, 50.0)] * 7]) == ["out"]


def test_a_hidden_foot_is_waited_for() -> None:
    assert crossings(GATE, [(60, 50), None, None, (140, 50), (142, 50)]) == ["out"]


def test_who_appears_beyond_has_not_crossed() -> None:
    assert crossings(GATE, way((140, 50), (190, 50))) == []


def test_a_line_with_a_corner() -> None:
    corner = replace(GATE, points=((0.25, 0.5), (0.5, 0.5), (0.5, 0.9)))
    assert len(crossings(corner, way((70, 70), (130, 30)))) == 1
    assert len(crossings(corner, way((70, 70), (130, 70)))) == 1
    assert len(crossings(corner, way((70, 70), (70, 30)))) == 1
    assert crossings(corner, way((130, 30), (130, 90))) == []


@pytest.mark.parametrize(
    ("values", "zone"),
    [
        ({"ground_depth": 0.2}, {"depth": (0.4, 0.6)}),
        ({"ground_depth": None}, {"depth": (0.4, 0.6)}),
        ({"position": (0.0, 9.0)}, {"distance_m": (0.0, 5.0)}),
        ({"position": None}, {"distance_m": (0.0, 5.0)}),
        ({"area": 0.001}, {"min_size": 0.01}),
        ({}, {"min_age_s": 60.0}),
    ],
)
def test_who_does_not_count(values: dict[str, object], zone: dict[str, object]) -> None:
    assert crossings(replace(GATE, **zone), way((60, 50), (140, 50)), **values) == []


def test_each_track_has_its_own_way() -> None:
    watch = LineWatch(GATE, SIZE)
    found = []
    for i, (x, y) in enumerate(way((60, 50), (140, 50))):
        at = 0.1 * i
        tracks = [track(1, (x, y), at), track(2, (200 - x, y), at), track(3, (30, y), at)]
        found += [(each.number, direction) for each, direction in watch.crossed(tracks, at)]
    assert sorted(found) == [(1, "out"), (2, "in")]


def test_a_track_that_is_not_seen_stays_where_it_was() -> None:
    """A tracker keeps the last place of who is hidden."""
    watch = LineWatch(replace(GATE, inertia_frames=3), SIZE)
    assert watch.crossed([track(1, (60, 50), 0.0)], 0.0) == []
    assert watch.crossed([track(1, (140, 50), 0.1)], 0.1) == []
    for i in range(2, 20):
        assert watch.crossed([track(1, (140, 50), 0.1)], 0.1 * i) == []


def leaving(
    line: Zone, feet: list[tuple[float, float]], away_s: float, back: Sequence[Point] = ()
) -> list[str]:
    """Crossings of somebody who is not seen for a while after the last of their feet."""
    watch, found, at = LineWatch(line, SIZE), [], 0.0
    for foot in feet:
        at += 0.1
        seen = track(foot=foot, at=at)
        found += [direction for _, direction in watch.crossed([seen], at)]
    for _ in range(round(away_s / 0.1)):
        at += 0.1
        found += [direction for _, direction in watch.crossed([seen], at)]
    for foot in back:
        at += 0.1
        found += [direction for _, direction in watch.crossed([track(foot=foot, at=at)], at)]
    return found


NEAR_SIDE = replace(GATE, points=((0.96, 0.2), (0.96, 0.8)))
"""8 of 200 pixels from the right side of the frame: a box of 10 is cut off before its foot is
there."""


def test_who_leaves_through_the_side_crossed_what_is_before_it() -> None:
    out = way((150, 50), (193, 50))
    assert leaving(NEAR_SIDE, out, 0.3) == []  # may be seen again
    assert leaving(NEAR_SIDE, out, 2.0) == ["out"]
    left = replace(GATE, points=((0.04, 0.2), (0.04, 0.8)))
    assert leaving(left, way((50, 50), (9, 50)), 2.0) == []  # 4 pixels of it are to be seen
    assert leaving(left, way((50, 50), (5, 50)), 2.0) == ["in"]


def test_who_left_and_comes_back_crosses_again() -> None:
    out = way((150, 50), (195, 50))
    assert leaving(NEAR_SIDE, out, 2.0, way((190, 50), (150, 50))) == ["out", "in"]


def test_who_is_lost_elsewhere_or_around_the_line_has_not_crossed() -> None:
    assert leaving(NEAR_SIDE, way((150, 50), (180, 50)), 2.0) == []
    assert leaving(NEAR_SIDE, way((150, 95), (195, 95)), 2.0) == []
    assert leaving(GATE, way((60, 50), (99, 50)), 2.0) == []


@pytest.mark.parametrize(
    ("values", "zone"),
    [
        ({"ground_depth": 0.4}, {"depth": (0.4, 0.6)}),
        ({"ground_depth": 0.6}, {"depth": (0.4, 0.6)}),
        ({"position": (3.0, 4.0)}, {"distance_m": (0.0, 5.0)}),
        ({"position": (3.0, 4.0), "ground_depth": None}, {"distance_m": (5.0, 6.0)}),
        ({"area": 0.01}, {"min_size": 0.01}),
    ],
)
def test_who_counts(values: dict[str, object], zone: dict[str, object]) -> None:
    """Bounds are in."""
    assert crossings(replace(GATE, **zone), way((60, 50), (140, 50)), **values) == ["out"]
