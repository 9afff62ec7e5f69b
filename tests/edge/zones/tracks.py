"""Tracks as a tracker would give them, without one."""

from __future__ import annotations

import numpy as np

from edge.things.thing import Thing
from edge.things.tracks import Track

SIZE = (100, 200)
"""Height and width of the frames."""


def track(
    number: int = 1,
    foot: tuple[float, float] | None = (100.0, 50.0),
    at: float = 0.0,
    *,
    first_seen: float = 0.0,
    height: int = 20,
    width: int = 10,
    ground_depth: float | None = 0.5,
    depth: float | None = 0.5,
    area: float | None = None,
    position: tuple[float, float] | None = None,
    stationary_since: float | None = None,
    confirmed: bool = True,
    place: tuple[float, float] | None = None,
) -> Track:
    """A box that stands on its foot; `place` is the middle of its lower side without a foot."""
    x, y = place or foot or (100.0, 50.0)
    left, top = round(x - width / 2), round(y - height)
    corners = [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
    thing = Thing(
        outline=np.array(corners, np.int32),
        box=(left, top, width, height),
        area=height * width / (SIZE[0] * SIZE[1]) if area is None else area,
        foot=foot,
        ground_depth=ground_depth,
        depth=depth,
        confidence=0.9,
    )
    return Track(number, thing, first_seen, at, confirmed, 0.0, position, stationary_since)
