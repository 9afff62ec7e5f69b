"""Which tracks are in a zone: by its rule, with its inertia and hysteresis."""

from __future__ import annotations

from dataclasses import dataclass

from edge.things.tracks import Track
from edge.zones.area import ZoneArea
from edge.zones.zone import Zone

EPSILON_S = 1e-3
"""Times of frames are sums of fractions: three frames at 10 a second are not quite .2 s apart."""


@dataclass
class _Member:
    inside: bool = False
    since: float = 0.0
    frames: int = 0
    change: float = 0.0


class Membership:
    """The tracks in a zone.

    Args:
        zone: any but a line.
        size: height and width of the frames.
    """

    def __init__(self, zone: Zone, size: tuple[int, int]) -> None:
        self._members: dict[int, _Member] = {}
        self.set_zone(zone, size)

    def set_zone(self, zone: Zone, size: tuple[int, int]) -> None:
        """Take over a zone that was edited; who was in is in until it is seen outside."""
        self.zone, self.area = zone, ZoneArea(zone, size)

    @property
    def inside(self) -> dict[int, float]:
        """Since when each track that is in is in, by its number."""
        return {number: m.since for number, m in self._members.items() if m.inside}

    def update(self, tracks: list[Track], at: float, active: bool = True) -> None:
        """Look at all living and confirmed tracks.

        Args:
            tracks: as they are now; those that are missing have left.
            at: source time in seconds.
            active: whether the zone is; nobody is in one that is not.
        """
        members = {}
        for track in tracks if active else []:
            member = members[track.number] = self._members.get(track.number) or _Member()
            # A track that is not seen right now is where it was.
            seen = track.last_seen >= at
            inside = self.area.includes(track, member.inside) if seen else None
            if inside is None or inside == member.inside:
                member.frames = 0
                continue
            if not member.frames:
                member.change = at
            member.frames += 1
            if member.frames >= self.zone.inertia_frames and (
                at - member.change >= self.zone.inertia_s - EPSILON_S
            ):
                member.inside, member.since, member.frames = inside, member.change, 0
        self._members = members
