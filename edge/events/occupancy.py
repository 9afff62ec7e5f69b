"""`occupancy`: how many things are in a counted zone, and whether that is too many."""

from __future__ import annotations

from collections.abc import Iterator

from edge.events.event import Event
from edge.events.look import Fact, Look
from edge.events.reporter import Reporter
from edge.zones.zone import COUNTED


class Crowding:
    """Zones with more things than their limit: an event that begins and ends."""

    def facts(self, look: Look) -> Iterator[Fact]:
        """One fact for each zone that is too full."""
        for name, membership in look.zones.items():
            count, limit = len(membership.inside), membership.zone.max_count
            if limit is not None and count > limit:
                yield Fact("occupancy", zone=name, count=count)


class Occupancy:
    """Every change of the number of things in counted zones: an event that happens once."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._counts: dict[str, int] = {}

    def update(self, look: Look) -> list[Event]:
        """The events of a frame."""
        events = []
        counts = {
            name: len(membership.inside)
            for name, membership in look.zones.items()
            if membership.zone.kind == COUNTED
        }
        for name, count in counts.items():
            if count != self._counts.get(name, 0):
                events.append(self._reporter.once("occupancy", look.at, zone=name, count=count))
        self._counts = counts
        return events
