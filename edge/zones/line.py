"""A line on frames of one size: when a foot crosses it, and in which direction."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge.things.tracks import Track
from edge.zones.area import stands_at
from edge.zones.membership import EPSILON_S
from edge.zones.zone import Point, Zone, segments_cross, side


@dataclass
class _Way:
    """Where a track was last surely on one side, and for how long it has been on another."""

    last: Point
    right: bool
    frames: int = 0
    since: float = 0.0


class LineWatch:
    """Watches a line.

    Args:
        zone: of kind `line`.
        size: height and width of the frames.
    """

    def __init__(self, zone: Zone, size: tuple[int, int]) -> None:
        self.zone, self.size = zone, size
        height, width = size
        self.points = [(x * width, y * height) for x, y in zone.points]
        self._margin = zone.hysteresis * height
        self._ways: dict[int, _Way] = {}

    def crossed(self, tracks: list[Track], at: float) -> list[tuple[Track, str]]:
        """The tracks that have just crossed the line, each with the name of the direction.

        Args:
            tracks: every living and confirmed one.
            at: source time in seconds.
        """
        living = {track.number for track in tracks}
        self._ways = {number: way for number, way in self._ways.items() if number in living}
        found = []
        for track in tracks:
            direction = self._direction(track, at)
            if direction is not None and self._counts(track):
                found.append((track, direction))
        return found

    def _direction(self, track: Track, at: float) -> str | None:
        # A track that is not seen right now is where it was.
        foot = stands_at(track, self.size) if track.last_seen >= at else None
        if foot is None:
            return None
        distance, right = self._side(foot)
        way = self._ways.get(track.number)
        if way is None:
            if distance > self._margin:
                self._ways[track.number] = _Way(foot, right)
            return None
        if right == way.right:
            way.frames = 0
            if distance > self._margin:
                way.last = foot
            return None
        if distance <= self._margin:
            return None
        if not way.frames:
            way.since = at
        way.frames += 1
        if (
            way.frames < self.zone.inertia_frames
            or at - way.since < self.zone.inertia_s - EPSILON_S
        ):
            return None
        through = any(
            segments_cross(way.last, foot, *segment)
            for segment in zip(self.points, self.points[1:], strict=False)
        )
        self._ways[track.number] = _Way(foot, right)
        return self.zone.directions[0 if right else 1] if through else None

    def _side(self, point: Point) -> tuple[float, bool]:
        """Distance to the line, and whether the point lies to its right."""
        nearest, right = math.inf, False
        for begin, end in zip(self.points, self.points[1:], strict=False):
            distance = _distance(begin, end, point)
            if distance < nearest:
                nearest, right = distance, side(begin, end, point) > 0
        return nearest, right

    def _counts(self, track: Track) -> bool:
        zone, thing = self.zone, track.thing
        if thing.area < zone.min_size or track.last_seen - track.first_seen < zone.min_age_s:
            return False
        if zone.distance_m is not None and track.position is not None:
            return zone.distance_m[0] <= math.hypot(*track.position) <= zone.distance_m[1]
        if zone.depth is not None and thing.ground_depth is not None:
            return zone.depth[0] <= thing.ground_depth <= zone.depth[1]
        return zone.distance_m is None and zone.depth is None


def _distance(begin: Point, end: Point, point: Point) -> float:
    (ax, ay), (bx, by), (px, py) = begin, end, point
    along = (bx - ax) ** 2 + (by - ay) ** 2
    share = 0.0 if along == 0 else ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / along
    share = min(1.0, max(0.0, share))
    return math.hypot(px - ax - share * (bx - ax), py - ay - share * (by - ay))
