"""`zone_entered` and `zone_left`: a thing is in a zone."""

from __future__ import annotations

from collections.abc import Iterator

from edge.events.look import Fact, Look


class InZones:
    """The tracks in each zone."""

    def facts(self, look: Look) -> Iterator[Fact]:
        """One fact for each track in each zone."""
        for name, membership in look.zones.items():
            for number, since in membership.inside.items():
                yield Fact("zone_entered", look.tracks[number], name, since)
