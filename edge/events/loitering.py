"""`loitering`: a thing stays in a zone for too long, whether it walks or stands."""

from __future__ import annotations

from collections.abc import Iterator

from edge.events.look import Fact, Look


class Loitering:
    """The tracks that are in a zone for longer than its limit."""

    def facts(self, look: Look) -> Iterator[Fact]:
        """One fact for each track that loiters in a zone."""
        for name, membership in look.zones.items():
            limit = membership.zone.loitering_s
            if limit is None:
                continue
            for number, since in membership.inside.items():
                if look.at - since >= limit:
                    yield Fact("loitering", look.tracks[number], name, since)
