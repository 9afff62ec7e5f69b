"""What rules look at: one frame of a camera with its tracks and zones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from edge.samples.sample import Image
from edge.things.tracks import Track
from edge.zones.membership import Membership

MIN_SIZE = 5e-4
"""Share of the frame, 25 pixels of a build of 224x224: smaller spots are noise or drops of rain."""


@dataclass(frozen=True)
class Look:
    """One frame.

    Attributes:
        at: source time in seconds.
        tracks: living and confirmed, by number; without those in `gone`.
        gone: living and confirmed tracks of what the background still shows and is there no more.
        zones: who is in each zone, by its name; lines and ignored zones are none of them.
        image: the frame, uint8 [H, W, 3] BGR.
        bg: the background, of the same size.
    """

    at: float
    tracks: Mapping[int, Track]
    gone: Mapping[int, Track]
    zones: Mapping[str, Membership]
    image: Image
    bg: Image


@dataclass(frozen=True)
class Fact:
    """Something that holds in a frame.

    Attributes:
        kind: kind of the event that begins when it begins to hold.
        track: the track that it is about, None for a zone as a whole.
        zone: name of the zone that it is about.
        since: source time since when it holds, if it held before it could be told.
        count: things in the zone.
    """

    kind: str
    track: Track | None = None
    zone: str | None = None
    since: float | None = None
    count: int | None = None

    @property
    def key(self) -> tuple[str, int | None, str | None]:
        """What makes it the same fact in the next frame."""
        return self.kind, None if self.track is None else self.track.number, self.zone


class Rule(Protocol):
    """Says what holds in a frame; `edge.events.facts.Facts` makes begins and ends of it."""

    def facts(self, look: Look) -> Iterator[Fact]:
        """The facts of a frame; every frame is shown, in the order of time."""
