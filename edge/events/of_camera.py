"""Events of the camera itself: its source is lost or frozen, its background does not fit, INT8
drifts."""

from __future__ import annotations

from collections.abc import Sequence

from edge.camera.source import CameraEvent
from edge.events.event import Event
from edge.events.reporter import Reporter

SOURCE = {
    "lost": "lost", "back": "lost", "frozen": "frozen", "moving": "frozen",
    "int8_drift": "int8_drift", "int8_holds": "int8_drift",
}  # fmt: skip
"""What each event of a source begins or ends."""
SCENE = ("camera_moved", "covered", "defocused", "scene_changed")
"""States of the scene, of which there is one at a time."""
CHANGES = {
    "background_improved": "background_renewed",
    "background_renewed": "background_renewed",
    "background_switched": "background_switched",
    "background_learned": "background_learned",
}
"""What is told, once, of each change of the background."""


class CameraStates:
    """Makes begins and ends of what cameras and pipelines report."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._open: dict[str, Event] = {}

    @property
    def trusted(self) -> bool:
        """Whether the masks mean something: the background fits, and the source is there."""
        return not any(kind in self._open for kind in (*SCENE, "lost", "frozen"))

    @property
    def misfit(self) -> bool:
        """Whether the background does not fit."""
        return any(kind in self._open for kind in SCENE)

    def knows(self, event: CameraEvent) -> bool:
        """Whether something of a source begins or ends with this."""
        return event.kind in SOURCE

    def of_source(self, event: CameraEvent) -> list[Event]:
        """Of the kinds of SOURCE; nothing of others."""
        kind = SOURCE.get(event.kind)
        if kind is None:
            return []
        if event.kind != kind:
            return self._ended(kind, event.at)
        return self._begun(kind, event)

    def of_scene(self, events: Sequence[CameraEvent]) -> list[Event]:
        """Of everything that happened to the scene in one frame."""
        found: list[Event] = []
        kinds = {event.kind for event in events}
        for event in events:
            if event.kind in SCENE or event.kind == "scene_fits":
                for kind in SCENE:
                    if kind != event.kind:
                        found += self._ended(kind, event.at)
            if event.kind in SCENE or event.kind == "background_unsure":
                found += self._begun(event.kind, event)
            if event.kind in CHANGES:
                if "background_unsure" not in kinds:
                    found += self._ended("background_unsure", event.at)
                kind = CHANGES[event.kind]
                found.append(self._reporter.once(kind, event.at, text=event.text))
        return found

    def close(self, at: float) -> list[Event]:
        """The ends of everything that lasts."""
        return [event for kind in list(self._open) for event in self._ended(kind, at)]

    def _begun(self, kind: str, event: CameraEvent) -> list[Event]:
        if kind in self._open:
            return []
        self._open[kind] = self._reporter.begin(kind, event.at, text=event.text)
        return [self._open[kind]]

    def _ended(self, kind: str, at: float) -> list[Event]:
        begun = self._open.pop(kind, None)
        return [] if begun is None else [self._reporter.end(begun, at)]
