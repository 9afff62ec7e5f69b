"""Tracks: which thing of a frame is which thing of the frames before."""

from __future__ import annotations

from dataclasses import dataclass

from edge.things.thing import Thing


@dataclass(frozen=True)
class Track:
    """A thing over time.

    Attributes:
        number: its identity, from 1; never used again in a run.
        thing: as it was last seen; box and foot are smoothed.
        first_seen: when it was first seen, in seconds of the source's clock.
        last_seen: when it was last seen.
        confirmed: whether it was seen often enough to be told to anybody.
        speed: heights of its box per second; metres per second where the ground is calibrated.
        position: metres on the ground to the right of the camera and away from it; None where the
            ground is not calibrated or the foot is unknown.
        stationary_since: when it came to stand; None while it moves.
    """

    number: int
    thing: Thing
    first_seen: float
    last_seen: float
    confirmed: bool
    speed: float
    position: tuple[float, float] | None
    stationary_since: float | None
