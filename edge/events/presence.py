"""`appeared` and `left`: somebody or something is in the scene."""

from __future__ import annotations

from collections.abc import Iterator

from edge.events.look import Fact, Look


class Presence:
    """Every confirmed track is there."""

    def facts(self, look: Look) -> Iterator[Fact]:
        """One fact for each track."""
        for track in look.tracks.values():
            yield Fact("appeared", track, since=track.first_seen)
