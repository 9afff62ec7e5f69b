"""The parts of a thing that is broken, as one."""

from __future__ import annotations

import numpy as np

from edge.things.sighting import sighting, union
from edge.things.thing import Thing


def part(box: tuple[int, int, int, int], area: float, **values: float | None) -> Thing:
    left, top, wide, tall = box
    outline = [(left, top), (left + wide, top), (left + wide, top + tall), (left, top + tall)]
    foot = (left + wide / 2, float(top + tall))
    known = {"ground_depth": 0.5, "depth": None, "confidence": 0.8, **values}
    return Thing(np.array(outline, np.int32), box, area, foot, **known)  # type: ignore[arg-type]


def test_a_broken_thing_has_the_box_of_all_and_the_foot_of_the_lowest() -> None:
    head = sighting(part((40, 10, 20, 20), 0.01, depth=0.7, confidence=0.5))
    body = sighting(part((30, 35, 35, 40), 0.03, depth=0.6, confidence=0.9, ground_depth=0.4))
    shoe = sighting(part((35, 80, 10, 5), 0.001, ground_depth=0.3))
    whole = union([head, body, shoe])
    assert whole.thing.box == (30, 10, 35, 75)
    assert whole.box == (30.0, 10.0, 65.0, 85.0)
    assert (whole.thing.foot, whole.thing.ground_depth) == ((40.0, 85.0), 0.3)
    assert whole.thing.depth == 0.6
    assert whole.thing.area == 0.01 + 0.03 + 0.001
    assert abs(whole.thing.confidence - (0.005 + 0.027 + 0.0008) / 0.041) < 1e-12
    assert whole.parts == ()


def test_parts_beside_the_largest_are_told_from_parts_above_it() -> None:
    body, other = part((30, 35, 30, 40), 0.03), part((70, 35, 10, 40), 0.01)
    assert [each.thing for each in union([sighting(other), sighting(body)]).parts] == [body, other]
    assert union([sighting(part((32, 10, 10, 20), 0.01)), sighting(body)]).parts == ()
