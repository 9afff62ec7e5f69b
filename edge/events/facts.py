"""Begins and ends: what began to hold, and what holds no more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edge.events.event import Event
from edge.events.look import Fact
from edge.events.reporter import Reporter
from edge.things.tracks import Track


@dataclass
class _Open:
    begun: Event
    fact: Fact
    since: float | None


class Facts:
    """Compares the facts of each frame with those of the frame before.

    Every fact that begins is one event, and its end another.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._open: dict[tuple[str, int | None, str | None], _Open] = {}

    @property
    def any(self) -> bool:
        """Whether anything holds."""
        return bool(self._open)

    def update(
        self, facts: Iterable[Fact], at: float, tracks: Mapping[int, Track] | None = None
    ) -> list[Event]:
        """The events of a frame, ends before begins.

        Args:
            facts: all that hold, the ones that begin first in front.
            at: source time in seconds.
            tracks: those that live, by number.
        """
        begins = []
        holding = {fact.key: fact for fact in facts}
        ends = [
            self._end(entry, at, tracks or {})
            for key, entry in reversed(self._open.items())
            if key not in holding
        ]
        self._open = {key: entry for key, entry in self._open.items() if key in holding}
        for key, fact in holding.items():
            if (entry := self._open.get(key)) is not None:
                entry.fact = fact
                continue
            begun = self._reporter.begin(
                fact.kind, at, fact.track, zone=fact.zone, count=fact.count
            )
            self._open[key] = _Open(begun, fact, fact.since)
            begins.append(begun)
        return ends + begins

    def close(self, at: float) -> list[Event]:
        """The ends of everything that holds."""
        return self.update([], at)

    def _end(self, entry: _Open, at: float, tracks: Mapping[int, Track]) -> Event:
        track = entry.fact.track
        if track is not None:
            track = tracks.get(track.number, track)
            # What a tracker gave up was there until it was last seen.
            at = min(at, track.last_seen)
        return self._reporter.end(entry.begun, at, track, entry.since)
