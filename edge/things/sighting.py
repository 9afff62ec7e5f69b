"""A sighting: what a track may be seen as in one frame, a thing or the parts of a broken one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge.things.boxes import Box, around
from edge.things.thing import Thing

ABOVE = 0.3
"""Share of the narrower one's width that two parts have in common, above or below each other."""


@dataclass(frozen=True, eq=False)
class Sighting:
    """A thing of a frame.

    Attributes:
        thing: the thing; of parts, everything about all of them.
        box: left, top, right and bottom.
        parts: what it is of that lies beside each other, from left to right; empty where nothing
            does. Parts above each other are one of these.
    """

    thing: Thing
    box: Box
    parts: tuple[Sighting, ...] = ()


def sighting(thing: Thing) -> Sighting:
    """The sighting of one thing."""
    left, top, wide, tall = thing.box
    return Sighting(thing, (left, top, left + max(wide, 1), top + max(tall, 1)))


def union(parts: Sequence[Sighting]) -> Sighting:
    """The sighting of the parts of one thing, two at least."""
    box = around(part.box for part in parts)
    things = sorted((part.thing for part in parts), key=lambda thing: thing.area, reverse=True)
    area = sum(thing.area for thing in things)
    lowest = max(parts, key=lambda part: part.box[3]).thing
    hull = cv2.convexHull(np.concatenate([thing.outline for thing in things]))
    whole = Thing(
        outline=np.asarray(hull[:, 0], np.int32),
        box=(int(box[0]), int(box[1]), int(box[2] - box[0]), int(box[3] - box[1])),
        area=area,
        foot=lowest.foot,
        ground_depth=lowest.ground_depth,
        depth=next((thing.depth for thing in things if thing.depth is not None), None),
        confidence=sum(thing.confidence * thing.area for thing in things) / area,
    )
    return Sighting(whole, box, _beside(parts))


def _beside(parts: Sequence[Sighting]) -> tuple[Sighting, ...]:
    """Parts with what is above and below them, from left to right; none where all are."""
    columns: list[list[Sighting]] = []
    left = right = -math.inf
    for part in sorted(parts, key=lambda part: part.box[0]):
        narrow = min(right - left, part.box[2] - part.box[0])
        if not columns or right - part.box[0] < ABOVE * narrow:
            columns.append([])
            left = right = part.box[0]
        columns[-1].append(part)
        right = max(right, part.box[2])
    if len(columns) < 2:
        return ()
    return tuple(column[0] if len(column) == 1 else union(column) for column in columns)
