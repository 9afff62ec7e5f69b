"""Coming to stand, seen and unseen."""

from __future__ import annotations

import numpy as np

from edge.events.look import Look
from edge.events.standing import STANDING_S, Standing, Travels
from edge.things.thing import Thing
from edge.things.tracks import Track

IMAGE = np.zeros((4, 4, 3), np.uint8)


def track(left: int, last_seen: float, since: float | None) -> Track:
    thing = Thing(np.zeros((4, 2), np.int32), (left, 0, 10, 20), 0.01, None, None, None, 1.0)
    return Track(1, thing, 0.0, last_seen, True, 0.0, None, since)


def told(seen: list[tuple[float, Track]]) -> list[bool]:
    """Whether the track is said to stand at each time."""
    travels = Travels()
    standing, found = Standing(travels), []
    for at, each in seen:
        travels.update({1: each})
        found.append(bool(list(standing.facts(Look(at, {1: each}, {}, {}, IMAGE, IMAGE)))))
    return found


def test_who_is_hidden_does_not_come_to_stand_but_goes_on_standing() -> None:
    walked = [(0.0, track(0, 0.0, None)), (1.0, track(50, 1.0, 1.0))]
    late = 1 + STANDING_S
    assert told([*walked, (late, track(50, 2.0, 1.0))]) == [False, False, False]
    assert told([*walked, (late, track(50, late, 1.0)), (late + 1, track(50, late, 1.0))]) == [
        False, False, True, True,
    ]  # fmt: skip
