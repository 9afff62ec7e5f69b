"""`standing` and `moving`: a thing that went about stands still, and goes on."""

from __future__ import annotations

import math
from collections.abc import Iterator

from edge.events.look import Fact, Look
from edge.things.tracks import Track

STANDING_S = 3.0
"""Seconds without moving after which a thing stands."""
TRAVELLED = 0.5
"""Heights of its box that a thing must have gone before it can stand still."""


class Travels:
    """How far tracks went from where they were first seen, in heights of their boxes."""

    def __init__(self) -> None:
        self._first: dict[int, tuple[float, float]] = {}
        self._farthest: dict[int, float] = {}

    def update(self, look: Look) -> None:
        """Look at the tracks of a frame."""
        self._first = {n: place for n, place in self._first.items() if n in look.tracks}
        self._farthest = {n: way for n, way in self._farthest.items() if n in look.tracks}
        for number, track in look.tracks.items():
            left, top, wide, tall = track.thing.box
            place = left + wide / 2, top + tall / 2
            first = self._first.setdefault(number, place)
            way = math.dist(first, place) / max(tall, 1)
            self._farthest[number] = max(self._farthest.get(number, 0.0), way)

    def went(self, track: Track) -> bool:
        """Whether a track has gone about, and did not merely appear where it is."""
        return self._farthest.get(track.number, 0.0) >= TRAVELLED


class Standing:
    """Tracks that have come to stand.

    Args:
        travels: kept up to date by somebody else.
    """

    def __init__(self, travels: Travels) -> None:
        self._travels = travels

    def facts(self, look: Look) -> Iterator[Fact]:
        """One fact for each track that stands."""
        for track in look.tracks.values():
            since = track.stationary_since
            if since is None or look.at - since < STANDING_S or not self._travels.went(track):
                continue
            yield Fact("standing", track, since=since)
