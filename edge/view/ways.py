"""The ways of the things of one camera: where their feet were."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from edge.things.tracks import Track

Point = tuple[float, float]

EVERY_S = 0.2
"""Time between two points of a way."""
POINTS, MOST = 300, 100
"""Points of a way, a minute of them, and ways that are kept: a thing's last event is late."""


class Ways:
    """Remembers the ways of confirmed tracks; used in the loop's thread alone."""

    def __init__(self) -> None:
        self._ways: dict[int, deque[Point]] = {}
        self._last = float("-inf")

    def update(self, tracks: Sequence[Track], at: float) -> None:
        """Take the tracks of a frame, at a time in seconds of the source."""
        if 0 <= at - self._last < EVERY_S:
            return
        self._last = at
        for track in tracks:
            foot = track.thing.foot
            if not track.confirmed or track.last_seen < at or foot is None:
                continue
            if track.number not in self._ways:
                self._ways[track.number] = deque(maxlen=POINTS)
                if len(self._ways) > MOST:
                    del self._ways[next(iter(self._ways))]
            self._ways[track.number].append((round(foot[0], 1), round(foot[1], 1)))

    def of(self, track: int | None) -> tuple[Point, ...]:
        """The way of a track, in pixels of the frame, the oldest point first."""
        return tuple(self._ways.get(track or 0, ()))
