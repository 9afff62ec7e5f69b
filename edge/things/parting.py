"""Parts of one thing that are apart: two people who walk side by side, a bag beside its owner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from edge.things.sighting import Sighting

APART_S = 0.5
"""Seconds for which parts must have been seen apart, those in which they were not taken off."""
USUAL, STRIDE = (0.75, 1.35), 0.2
"""Ratio of its heights, and change of its width in heights, of a part that stays what it is: of
what passes behind a pillar one side grows and the other shrinks."""
LEAST = 1 / 6
"""Share of the largest part from which another may be a thing: a hand that comes off is none."""


@dataclass
class Parting:
    """For how long the parts of a track's thing have been apart.

    Attributes:
        since: when they came apart.
        first: the parts as they were then, from left to right.
        sightings: how often they were seen apart since.
    """

    since: float = 0.0
    first: Sequence[Sighting] = field(default_factory=tuple)
    sightings: int = 0
    _apart_s: float = 0.0
    _last: float = 0.0

    def update(self, parts: Sequence[Sighting], time_s: float) -> bool:
        """Take the next sighting's parts that lie beside each other; none where it is in one piece.

        Returns:
            Whether they are things of their own.
        """
        passed, self._last = time_s - self._last, time_s
        least = LEAST * max((part.thing.area for part in parts), default=0.0)
        if len(parts) < 2 or min(part.thing.area for part in parts) < least:
            self._apart_s -= passed
            return False
        like_first = len(parts) == len(self.first) and all(map(_same, self.first, parts))
        if self._apart_s < 0 or not like_first:
            self.since, self.first, self.sightings, self._apart_s = time_s, parts, 0, -passed
        self._apart_s += passed
        self.sightings += 1
        return self._apart_s >= APART_S


def _same(before: Sighting, now: Sighting) -> bool:
    """Whether a part is as large as it was."""
    tall, was_tall = (box[3] - box[1] for box in (now.box, before.box))
    wide, was_wide = (box[2] - box[0] for box in (now.box, before.box))
    return USUAL[0] <= tall / was_tall <= USUAL[1] and abs(wide - was_wide) <= STRIDE * tall
