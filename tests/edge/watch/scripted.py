"""A watcher whose tracks come from a script: no network, no tracker."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import cv2
import numpy as np

from edge.camera.source import CameraEvent, Frame
from edge.events.event import Event
from edge.loop.pipeline import FrameResult
from edge.scene.background import Background, certain
from edge.things.thing import Thing
from edge.things.tracks import Track
from edge.watch.watcher import Classifier, Settings, Watcher

from ..zones.tracks import SIZE

FPS = 10


class Script:
    """Gives the tracks that are set."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []

    def update(self, things: list[Thing], time_s: float) -> list[Track]:
        return self.tracks


def textured(size: tuple[int, int] = SIZE) -> np.ndarray:
    """A background with a little of everything."""
    rng = np.random.default_rng(3)
    coarse = rng.integers(60, 190, (size[0] // 8, size[1] // 8, 3)).astype(np.uint8)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


class Scripted:
    """Runs a watcher, FPS frames a second, and keeps what it tells."""

    def __init__(
        self, settings: Settings, classify: Classifier | None = None, bg: np.ndarray | None = None
    ) -> None:
        self.script, self.time = Script(), 0.0
        self.wall, self.arrived = 1_767_600_000.0, 100.0
        self.background: Background = certain(textured() if bg is None else bg)
        self.watcher = Watcher(
            "cam", SIZE, settings, self.script, classify, clock=lambda: self.wall
        )
        self.events: list[Event] = []

    def see(
        self,
        tracks: Sequence[Track] = (),
        image: np.ndarray | None = None,
        fits: bool = True,
        scene: Iterable[CameraEvent] = (),
    ) -> list[Event]:
        """One frame; tracks that are there are seen now, but those last seen before 0."""
        self.script.tracks = [
            track if track.last_seen < 0 else replace(track, last_seen=self.time)
            for track in tracks
        ]
        mask = np.ones((50, 100), np.float32)
        frame = Frame(self.background.image if image is None else image, 0, self.time, self.arrived)
        result = FrameResult(
            frame, mask, None, 0.0, [], None, self.background, fits, list(scene), 0.0, 0.0
        )
        found = self.watcher.frame(result)
        self.events += found
        self.time = round(self.time + 1 / FPS, 6)
        self.wall += 1 / FPS
        self.arrived += 1 / FPS
        return found

    def told(self) -> list[str]:
        """Kind, phase, and of what, in short."""
        return [short(event) for event in self.events]


def short(event: Event) -> str:
    """As `zone_entered begin 3 road`."""
    parts = [event.kind, event.phase, event.track, event.zone, event.direction, event.count]
    return " ".join(str(part) for part in parts if part is not None)
