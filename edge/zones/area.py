"""A zone on frames of one size: whether a thing is in it, and which pixels it covers."""

from __future__ import annotations

import math
from collections.abc import Container

import cv2
import numpy as np
import numpy.typing as npt

from edge.runtime.backend import Plane
from edge.things.tracks import Track
from edge.zones.zone import FOOT, OVERLAP, Point, Zone

Floats = npt.NDArray[np.float32]

HALF, HALF_LEFT = 0.5, 0.35
"""Share of a thing inside a zone from which it overlaps, and below which it no longer does."""
SMALLER = 0.7
"""Share of the least size that a thing may shrink to before it is out."""
RASTER = 48
"""Pixels across a thing when shares of it are counted."""
FINER = 4
"""Factor by which the outline of an ignored zone is drawn finer than the mask."""
BORDER = 2
"""Pixels within which a box ends at the frame's border."""


class ZoneArea:
    """A zone on frames of one size.

    Args:
        zone: any but a line.
        size: height and width of the frames.
    """

    def __init__(self, zone: Zone, size: tuple[int, int]) -> None:
        self.zone, self.size = zone, size
        height, width = size
        self.polygon = np.array([(x * width, y * height) for x, y in zone.points], np.float32)
        self._margin = zone.hysteresis * height

    def includes(self, track: Track, was_in: bool) -> bool | None:
        """Whether a track is in the zone; None where that cannot be seen.

        Args:
            track: as it is now.
            was_in: whether it was in until now: to leave, it must be further out.
        """
        zone, thing = self.zone, track.thing
        if thing.area < zone.min_size * (SMALLER if was_in else 1):
            return False
        if not was_in and track.last_seen - track.first_seen < zone.min_age_s:
            return False
        place = self._place(track, was_in)
        if place is not True:
            return place
        return self._deep(track, was_in)

    def _place(self, track: Track, was_in: bool) -> bool | None:
        if self.zone.rule == FOOT:
            foot = stands_at(track, self.size)
            if foot is None:
                return None
            distance = cv2.pointPolygonTest(self.polygon, foot, True)
            return bool(distance >= (-self._margin if was_in else 0))
        share = self._share(track, was_in)
        if self.zone.rule == OVERLAP:
            return share >= (HALF_LEFT if was_in else HALF)
        return share > 0

    def _deep(self, track: Track, was_in: bool) -> bool | None:
        """Whether the depth or the distance of a track is in the zone's interval."""
        zone, thing = self.zone, track.thing
        value: float | None
        if zone.distance_m is not None:
            interval = zone.distance_m
            value = None if track.position is None else math.hypot(*track.position)
        elif zone.depth is not None:
            interval = zone.depth
            value = thing.ground_depth if zone.rule == FOOT else thing.depth
        else:
            return True
        if value is None:
            return None
        slack = zone.hysteresis if was_in else 0.0
        return interval[0] * (1 - slack) <= value <= interval[1] * (1 + slack)

    def _share(self, track: Track, was_in: bool) -> float:
        """Share of a thing's outline that lies in the polygon; a rim counts while it is in."""
        left, top, wide, tall = track.thing.box
        scale = RASTER / max(wide, tall, 1)
        shape = max(1, round(tall * scale)), max(1, round(wide * scale))
        origin = np.array([left, top], np.float32)
        thing, area = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        inner = ((track.thing.outline - origin) * scale).astype(np.int32)
        outer = ((self.polygon - origin) * scale).astype(np.int32)
        cv2.fillPoly(thing, [inner], 1)
        cv2.fillPoly(area, [outer], 1)
        if was_in and self._margin:
            cv2.polylines(area, [outer], True, 1, max(1, round(2 * self._margin * scale)))
        covered = int(np.count_nonzero(thing))
        return int(np.count_nonzero(thing & area)) / covered if covered else 0.0


def stands_at(track: Track, size: tuple[int, int]) -> Point | None:
    """Where a thing stands, in pixels of the frame: its foot.

    One that the lower border cuts off stands there: a zone that reaches the border goes on below.
    """
    thing = track.thing
    if thing.foot is not None:
        return thing.foot
    left, top, wide, tall = thing.box
    if top + tall >= size[0] - BORDER:
        return left + wide / 2, size[0] - 1.0
    return None


class IgnoredPixels:
    """Cuts ignored zones out of masks.

    Args:
        zones: of kind `ignored`.
        size: height and width of the masks.
    """

    def __init__(self, zones: list[Zone], size: tuple[int, int]) -> None:
        self._zones = [(zone, _filled(zone, size)) for zone in zones]

    def __bool__(self) -> bool:
        return bool(self._zones)

    def cut(self, mask: Plane, depth: Plane | None, at: float, off: Container[str] = ()) -> Plane:
        """The mask, zero in the zones that are active at a Unix time; the given one stays as it is.

        Args:
            mask: [h, w] as a build gives it.
            depth: the same; None leaves zones with an interval of depth without effect.
            at: Unix time.
            off: names of zones that are switched off.
        """
        for zone, area in self._zones:
            if zone.name in off or not zone.active(at):
                continue
            ignored = area
            if zone.depth is not None:
                if depth is None:
                    continue
                white = 255 if depth.dtype == np.uint8 else 1
                low, high = (bound * white for bound in zone.depth)
                ignored = area & (depth >= low) & (depth <= high)
            mask = np.where(ignored, np.zeros((), mask.dtype), mask)
        return mask


def _filled(zone: Zone, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The pixels of (height, width) whose centres lie in a zone, bool [h, w]."""
    height, width = size
    plane = np.zeros((FINER * height, FINER * width), np.uint8)
    corners = np.array([(x * width * FINER, y * height * FINER) for x, y in zone.points])
    cv2.fillPoly(plane, [corners.round().astype(np.int32)], 1)
    return np.asarray(plane[FINER // 2 :: FINER, FINER // 2 :: FINER] > 0)
