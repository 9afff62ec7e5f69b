"""What the loop hands to the view: the newest frame of a camera that somebody looks at, and events.

The loop never waits for the view. It overwrites one slot for each camera, and counts.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from edge.events.event import BEGIN, CAMERA_KINDS, END, Event
from edge.loop.pipeline import FrameResult
from edge.things.tracks import Track
from edge.view.pictures import snapshot

if TYPE_CHECKING:
    from edge.watch.watch import Watch

FPS = 10.0
"""Frames a second of a camera that are handed over at most."""
WANTED_S = 2.0
"""Seconds for which a camera is looked at after it was asked for."""
WINDOW_S = 10.0
"""Seconds over which frames are counted."""
EVENTS = 200
"""Events that are kept, with their snapshots: some 10 MB."""
SNAPSHOTS = 8
"""Snapshots that wait to be drawn at most; events beyond them have none."""
NICE = 10
"""Priority of the thread that draws and encodes."""


@dataclass(frozen=True)
class Look:
    """A frame to be shown.

    Attributes:
        number: from 1, one more for every look at this camera.
        result: of the frame, with mask and depth of its own.
        tracks: the confirmed ones.
    """

    number: int
    result: FrameResult
    tracks: tuple[Track, ...]


@dataclass(frozen=True)
class Told:
    """An event that was told.

    Attributes:
        number: from 1.
        event: told.
        picture: its snapshot as JPEG; None where there is none.
    """

    number: int
    event: Event
    picture: Future[bytes] | None


class Slot:
    """One camera: written by the loop, read by the view."""

    def __init__(self) -> None:
        self.look: Look | None = None
        self._wanted = self._handed = float("-inf")
        self._frames: deque[tuple[float, float]] = deque(maxlen=1000)
        self._lock = threading.Lock()

    def want(self) -> None:
        """Somebody looks at the camera now."""
        self._wanted = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether the next frame is to be handed over."""
        now = time.monotonic()
        return now - self._wanted < WANTED_S and now - self._handed >= 0.9 / FPS

    def hand(self, result: FrameResult, tracks: tuple[Track, ...]) -> None:
        """Overwrite what is shown."""
        self._handed = time.monotonic()
        self.look = Look(1 if self.look is None else self.look.number + 1, result, tracks)

    def count(self, latency_ms: float) -> None:
        """Count a frame."""
        with self._lock:
            self._frames.append((time.monotonic(), latency_ms))

    def pace(self) -> tuple[float, float | None]:
        """Frames a second and the median latency in milliseconds, over the last WINDOW_S."""
        now = time.monotonic()
        with self._lock:
            recent = [frame for frame in self._frames if now - frame[0] <= WINDOW_S]
        if len(recent) < 2:
            return 0.0, None
        span = max(now - recent[0][0], 1e-3)
        return (len(recent) - 1) / span, median(latency for _, latency in recent)


class Feed:
    """Takes frames and events from the loop, for the view.

    Args:
        watching: its cameras are shown.

    Attributes:
        pool: the one thread that draws and encodes.
    """

    def __init__(self, watching: Watch) -> None:
        self.watching = watching
        self.pool = ThreadPoolExecutor(1, "view-draw", _step_back)
        self._slots: dict[str, Slot] = {}
        self._told: deque[Told] = deque(maxlen=EVENTS)
        self._begun: dict[str, Event] = {}
        self._pictures: dict[str, Future[bytes]] = {}
        self._room = threading.BoundedSemaphore(SNAPSHOTS)
        self._numbers = 0
        self._lock = threading.Lock()

    @property
    def redact(self) -> str | None:
        """How the foreground is hidden, as in recordings (edge.loop.overlay.redacted)."""
        recordings = self.watching.config.recordings
        return None if recordings is None else recordings.redact

    def slot(self, camera: str) -> Slot:
        """The slot of a camera."""
        return self._slots.get(camera) or self._slots.setdefault(camera, Slot())

    def frame(self, camera: str, result: FrameResult, events: Sequence[Event]) -> None:
        """See a frame and the events that it made, in the loop's thread; planes are copied."""
        slot = self.slot(camera)
        slot.count(result.latency_ms)
        due = slot.due
        if not due and not events:
            return
        depth = None if result.depth is None else result.depth.copy()
        own = replace(result, mask=result.mask.copy(), depth=depth)
        if due:
            tracks = self.watching.watched[camera].watcher.tracks
            slot.hand(own, tuple(track for track in tracks if track.confirmed))
        if events and self._room.acquire(blocking=False):
            try:
                picture = self.pool.submit(snapshot, own, self.redact)
            except RuntimeError:  # the view was closed a moment ago
                self._room.release()
                return
            picture.add_done_callback(lambda _: self._room.release())
            self._pictures = {event.id: picture for event in events}

    def event(self, event: Event) -> None:
        """Take an event, in the loop's thread."""
        picture = self._pictures.pop(event.id, None)
        with self._lock:
            self._numbers += 1
            self._told.append(Told(self._numbers, event, picture))
            if event.kind in CAMERA_KINDS and event.phase == BEGIN:
                self._begun[event.incident] = event
            elif event.phase == END:
                self._begun.pop(event.incident, None)

    def told(self, after: int) -> list[Told]:
        """The events after one, the oldest first."""
        with self._lock:
            return [told for told in self._told if told.number > after]

    def find(self, event_id: str) -> Told | None:
        """An event that is kept."""
        with self._lock:
            return next((told for told in self._told if told.event.id == event_id), None)

    def troubles(self, camera: str) -> list[str]:
        """What is wrong with a camera now: kinds of events that began and have not ended."""
        with self._lock:
            return sorted({each.kind for each in self._begun.values() if each.camera == camera})

    def close(self) -> None:
        """End the thread; what waits is not drawn."""
        self.pool.shutdown(cancel_futures=True)


def _step_back() -> None:
    """The cameras' thread comes first; on Linux."""
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
