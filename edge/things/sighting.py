"""A sighting: what a track may be seen as in one frame, a thing or the parts of a broken one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge.things.boxes import Box, around, stack, stacked
from edge.things.thing import Thing


@dataclass(frozen=True, eq=False)
class Sighting:
    """A thing of a frame.

    Attributes:
        thing: the thing; of parts, everything about all of them.
        box: left, top, right and bottom.
        beside: whether it is of parts that lie beside each other, and not above.
    """

    thing: Thing
    box: Box
    beside: bool = False


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
    largest, *rest = sorted(parts, key=lambda part: part.thing.area, reverse=True)
    common, _ = stacked(largest.box, stack(part.box for part in rest))
    return Sighting(whole, box, bool((common <= 0).any()))
