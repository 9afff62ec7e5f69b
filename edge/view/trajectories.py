"""The trajectories of the things of one camera: where their feet were."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from edge.things.tracks import Track

Point = tuple[float, float]

EVERY_S = 0.2
"""Time between two points of a trajectory."""
POINTS, MOST = 300, 100
"""Points of a trajectory, a minute of them, and trajectories that are kept: a thing's last event is
late."""


class Trajectories:
    """Remembers the trajectories of confirmed tracks; used in the loop's thread alone."""

    def __init__(self) -> None:
        self._trajectories: dict[int, deque[Point]] = {}
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
            if track.number not in self._trajectories:
                self._trajectories[track.number] = deque(maxlen=POINTS)
                if len(self._trajectories) > MOST:
                    del self._trajectories[next(iter(self._trajectories))]
            self._trajectories[track.number].append((round(foot[0], 1), round(foot[1], 1)))

    def of(self, track: int | None) -> tuple[Point, ...]:
        """The trajectory of a track, in pixels of the frame, the oldest point first."""
        return tuple(self._trajectories.get(track or 0, ()))
