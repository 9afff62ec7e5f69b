"""`standing` and `moving`: a thing that went about stands still, and goes on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edge.events.look import Fact, Look
from edge.things.tracks import Track

STANDING_S = 3.0
"""Seconds without moving after which a thing stands."""
TRAVELLED = 0.5
"""Heights of its box that a thing must have gone before it can stand still."""


SHRUNK = 0.5
"""Share of its largest area from which a track is what somebody left there who walked on."""


@dataclass
class _Way:
    first: tuple[float, float]
    farthest: float = 0.0
    largest: float = 0.0


class Travels:
    """How far tracks went from where they were first seen, in heights of their boxes."""

    def __init__(self) -> None:
        self._ways: dict[int, _Way] = {}

    def update(self, tracks: Mapping[int, Track]) -> None:
        """Look at the confirmed tracks of a frame."""
        self._ways = {number: way for number, way in self._ways.items() if number in tracks}
        for number, track in tracks.items():
            left, top, wide, tall = track.thing.box
            place = left + wide / 2, top + tall / 2
            way = self._ways.setdefault(number, _Way(place))
            way.farthest = max(way.farthest, math.dist(way.first, place) / max(tall, 1))
            way.largest = max(way.largest, track.thing.area)

    def went(self, track: Track, heights: float = TRAVELLED) -> bool:
        """Whether a track has gone so far, and did not merely appear where it is.

        What a tracker takes for somebody who walked on and left it has not.
        """
        way = self._ways[track.number]
        return way.farthest >= heights and track.thing.area >= SHRUNK * way.largest


class Standing:
    """Tracks that have come to stand.

    Args:
        travels: kept up to date by somebody else.
    """

    def __init__(self, travels: Travels) -> None:
        self._travels = travels
        self._told: set[int] = set()

    def facts(self, look: Look) -> Iterator[Fact]:
        """One fact for each track that stands; one that is hidden does not come to stand."""
        standing = set()
        for number, track in look.tracks.items():
            since = track.stationary_since
            if since is None or look.at - since < STANDING_S or not self._travels.went(track):
                continue
            if number in self._told or track.last_seen == look.at:
                standing.add(number)
                yield Fact("standing", track, since=since)
        self._told = standing
