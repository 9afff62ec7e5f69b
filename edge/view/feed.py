"""What the loop hands to the view: the newest frame of a camera that somebody looks at, and events.

The loop never waits for the view. It overwrites one slot for each camera, and counts.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from edge.events.event import BEGIN, CAMERA_KINDS, END, Event
from edge.loop.pipeline import FrameResult
from edge.things.tracks import Track
from edge.view.evidence import Evidence, Witness
from edge.view.reasons import named
from edge.view.trajectories import Point, Trajectories
from edge.zones.zone import Zone

if TYPE_CHECKING:
    from edge.watch.watch import Watch

FPS = 10.0
"""Frames a second of a camera that are handed over at most."""
WANTED_S = 2.0
"""Seconds for which a camera is looked at after it was asked for."""
WINDOW_S = 10.0
"""Seconds over which frames are counted."""
EVENTS = 200
"""Events that are kept, each with some 200 KB of evidence."""
WAITING = 8
"""Frames of events that wait to be kept at most; events beyond them have no evidence."""


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
        evidence: its frame; None where there is none.
        zone: that it names, as it was then; None where it names none.
        trajectory: of its thing until then, in pixels of the frame.
        followed: its thing is still there, seen or hidden.
        redacted: its pictures hide the foreground.
    """

    number: int
    event: Event
    evidence: Future[Evidence] | None
    zone: Zone | None
    trajectory: tuple[Point, ...]
    followed: bool
    redacted: bool


class Pace(NamedTuple):
    """How a camera goes.

    Attributes:
        fps: frames a second.
        latency_ms: the median; None where there are too few frames.
        busy: seconds of computing and decoding in a second.
    """

    fps: float
    latency_ms: float | None
    busy: float


class Slot:
    """One camera: written by the loop, read by the view."""

    def __init__(self) -> None:
        self.look: Look | None = None
        self._wanted = self._handed = float("-inf")
        self._frames: deque[tuple[float, float, float]] = deque(maxlen=1000)
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

    def count(self, result: FrameResult) -> None:
        """Count a frame."""
        busy = result.busy_ms + result.frame.decode_ms
        with self._lock:
            self._frames.append((time.monotonic(), result.latency_ms, busy))

    def pace(self) -> Pace:
        """How it went over the last WINDOW_S."""
        now = time.monotonic()
        with self._lock:
            recent = [frame for frame in self._frames if now - frame[0] <= WINDOW_S]
        if len(recent) < 2:
            return Pace(0.0, None, 0.0)
        span = max(now - recent[0][0], 1e-3)
        return Pace(
            (len(recent) - 1) / span,
            median(latency for _, latency, _ in recent),
            sum(busy for _, _, busy in recent[1:]) / 1e3 / span,
        )


class Feed:
    """Takes frames and events from the loop, for the view.

    Args:
        watching: its cameras are shown.

    Attributes:
        woken: called in the loop's thread with the name of a camera that has a new look or event;
            it must not wait. What is drawn then is done before the camera's next frame.
        pool: the one thread that draws and encodes, mostly without the interpreter's lock; of the
            cameras' priority, because while it holds the lock and waits for a core, so do they.
    """

    def __init__(self, watching: Watch) -> None:
        self.watching = watching
        self.woken: Callable[[str], None] = lambda _: None
        self.pool = ThreadPoolExecutor(1, "view-draw")
        self._slots: dict[str, Slot] = {}
        self._told: deque[Told] = deque(maxlen=EVENTS)
        self._begun: dict[str, Event] = {}
        self._evidence: dict[str, Future[Evidence]] = {}
        self._trajectories: dict[str, Trajectories] = {}
        self._witness = Witness()
        self._room = threading.BoundedSemaphore(WAITING)
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
        slot, watched = self.slot(camera), self.watching.watched[camera]
        slot.count(result)
        tracks = watched.watcher.tracks
        self._trajectories.setdefault(camera, Trajectories()).update(tracks, result.frame.at)
        due = slot.due
        if not due and not events:
            return
        depth = None if result.depth is None else result.depth.copy()
        own = replace(result, mask=result.mask.copy(), depth=depth)
        if due:
            slot.hand(own, tuple(track for track in tracks if track.confirmed))
            self.woken(camera)
        if events and self._room.acquire(blocking=False):
            try:
                kept = self.pool.submit(self._witness.keep, camera, own, self.redact)
            except RuntimeError:  # the view was closed a moment ago
                self._room.release()
                return
            kept.add_done_callback(lambda _: self._room.release())
            self._evidence = {event.id: kept for event in events}

    def event(self, event: Event) -> None:
        """Take an event, in the loop's thread."""
        kept, trajectories = (
            self._evidence.pop(event.id, None),
            self._trajectories.get(event.camera),
        )
        trajectory = () if trajectories is None else trajectories.of(event.track)
        zone, followed = self._zone(event), self._followed(event)
        redacted, event = self.redact is not None, self._named(event)
        with self._lock:
            self._numbers += 1
            told = Told(self._numbers, event, kept, zone, trajectory, followed, redacted)
            self._told.append(told)
            if event.kind in CAMERA_KINDS and event.phase == BEGIN:
                self._begun[event.incident] = event
            elif event.phase == END:
                self._begun.pop(event.incident, None)
        self.woken(event.camera)

    def _zone(self, event: Event) -> Zone | None:
        """The zone of an event, as it is now."""
        watched = self.watching.watched.get(event.camera)
        zones = () if watched is None else watched.watcher.settings.zones
        return next((zone for zone in zones if zone.name == event.zone), None)

    def _followed(self, event: Event) -> bool:
        """Whether the thing of an event is followed now."""
        watched = self.watching.watched.get(event.camera)
        tracks = () if watched is None else watched.watcher.tracks
        return any(track.number == event.track for track in tracks)

    def _named(self, event: Event) -> Event:
        """An event whose text calls its camera by its name."""
        cameras = (each for each in self.watching.config.cameras if each.name == event.camera)
        camera = next(cameras, None)
        if event.text is None or camera is None:
            return event
        return replace(event, text=named(event.text, camera))

    def told(self, after: int) -> list[Told]:
        """The events after one, the oldest first."""
        with self._lock:
            return [told for told in self._told if told.number > after]

    def find(self, event_id: str) -> Told | None:
        """An event that is kept."""
        with self._lock:
            return next((told for told in self._told if told.event.id == event_id), None)

    def may_show(self, told: Told) -> bool:
        """Whether the pictures of an event may be seen: none of before the foreground was to be
        hidden."""
        return told.redacted or self.redact is None

    def troubles(self, camera: str) -> list[str]:
        """What is wrong with a camera now: kinds of events that began and have not ended."""
        with self._lock:
            return sorted({each.kind for each in self._begun.values() if each.camera == camera})

    def close(self) -> None:
        """End the thread; what waits is not drawn."""
        self.pool.shutdown(cancel_futures=True)
