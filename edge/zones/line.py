"""A line on frames of one size: when a foot crosses it, and in which direction."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge.things.tracks import Track
from edge.zones.area import stands_at
from edge.zones.membership import EPSILON_S
from edge.zones.zone import Point, Zone, segments_cross, side

LEFT_S = 0.5
"""Seconds without a sight of somebody at the frame's side after which they have left through it."""

SIDE = 0.01
"""Share of the frame's width within which an outline ends at its side: masks have fewer pixels."""


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
        if at - track.last_seen > LEFT_S:
            return self._leaves(track)
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
        return self._through(track, foot, right)

    def _leaves(self, track: Track) -> str | None:
        """Where a track that left through the frame's side went: past it, whatever was seen last.

        The frame cuts its foot off before it has gone.
        """
        way, foot = self._ways.get(track.number), track.thing.foot
        across = track.thing.outline[:, 0]
        right_end = self.size[1] - 1.0
        if way is None or foot is None:
            return None
        rim = SIDE * self.size[1]
        at_left, at_right = across.min() <= rim, across.max() >= right_end - rim
        if at_left == at_right:
            return None
        beyond = 0.0 if at_left else right_end, foot[1]
        _, right = self._side(beyond)
        return None if right == way.right else self._through(track, beyond, right)

    def _through(self, track: Track, foot: Point, right: bool) -> str | None:
        """Note that a track is on the other side now; its direction if it went through the line."""
        last = self._ways[track.number].last
        through = any(
            segments_cross(last, foot, *segment)
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
