"""What is so now, of cameras and zones, from the events that begin and end it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from edge.events.event import BEGIN, CAMERA_KINDS, END, Event
from edge.zones.zone import COUNTED, RESTRICTED, Zone

ON, OFF = "ON", "OFF"
ONLINE, OFFLINE = "online", "offline"
COUNTED_KINDS = RESTRICTED, COUNTED
"""Kinds of zones in which somebody can be."""
PROBLEMS = tuple(kind for kind in CAMERA_KINDS if kind not in ("lost", "back"))


class States:
    """The present state of cameras and zones.

    Args:
        cameras: the zones of each camera.
    """

    def __init__(self, cameras: Mapping[str, Sequence[Zone]]) -> None:
        self._cameras = cameras
        self._begun: dict[str, Event] = {}

    def update(self, event: Event) -> None:
        """Take an event into account."""
        if event.phase == BEGIN:
            self._begun[event.incident] = event
        elif event.phase == END:
            self._begun.pop(event.incident, None)

    def all(self) -> dict[str, str]:
        """Every state by its path: `CAMERA/occupancy`, `CAMERA/ZONE/count`, ..."""
        counts = Counter(
            (event.camera, event.zone if event.kind == "zone_entered" else None, event.kind)
            for event in self._begun.values()
        )
        states: dict[str, str] = {}
        for camera, zones in self._cameras.items():
            states[f"{camera}/availability"] = OFFLINE if counts[camera, None, "lost"] else ONLINE
            problem = any(counts[camera, None, kind] for kind in PROBLEMS)
            states[f"{camera}/problem"] = ON if problem else OFF
            places = {camera: counts[camera, None, "appeared"]}
            for zone in zones:
                if zone.kind in COUNTED_KINDS:
                    places[f"{camera}/{zone.name}"] = counts[camera, zone.name, "zone_entered"]
            for place, count in places.items():
                states[f"{place}/occupancy"] = ON if count else OFF
                states[f"{place}/count"] = str(count)
        return states
