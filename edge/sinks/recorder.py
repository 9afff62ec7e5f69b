"""The recorder: snapshots and clips of events, written beside the cameras' thread."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from edge.errors import EdgeError
from edge.events.event import Event
from edge.loop.pipeline import FrameResult
from edge.progress import note
from edge.sinks.clips import CLIP_FPS, MOST_S, POST_S, ClipWriter, Picture
from edge.sinks.discovery import slug
from edge.sinks.snapshots import snapshot
from edge.sinks.store import Store

LIMIT = 2_000_000_000
"""Bytes of all pictures and clips."""
FRAMES, SNAPSHOTS = 8, 24
"""Frames that wait for the disk at most: for clips, and in all; a frame of 1080p has 6 MB."""
NICE = 10
"""Priority of the thread that draws and encodes."""
GRACE_S = 20.0
"""Seconds at the end for what still waits."""
IDLE_S = 1.0
"""Seconds between two looks for clips whose camera gives no frames any more."""


@dataclass(frozen=True)
class _Item:
    """A frame on its way to the disk.

    Attributes:
        camera: its name.
        result: with a mask of its own.
        at: seconds of the source, or of the clock that never jumps.
        snapshot: name of the snapshot to write, or None.
        clip: name of the clip that the frame belongs to, or None.
        until: `at` at which that clip ends.
        in_clip: the frame is shown in clips.
    """

    camera: str
    result: FrameResult
    at: float
    snapshot: str | None
    clip: str | None
    until: float
    in_clip: bool


@dataclass
class _Running:
    """The clip of a camera, as its thread knows it."""

    name: str | None = None
    begin: float = 0.0
    until: float = float("-inf")
    shown: float = float("-inf")


class Recorder:
    """Writes snapshots and clips in a thread of its own.

    A slow or full disk drops pictures and clips, never frames of a camera; this is said and
    counted. A recording is no camera: its frames wait for the disk.

    Args:
        folder: of the recordings.
        limit: bytes; the oldest are deleted above it.
        redact: how the foreground is hidden (edge.loop.overlay.redacted), or None.
        clips: write clips besides snapshots.
        say: told sentences for the user.

    Attributes:
        dropped: frames of clips, and snapshots, that were not written.

    Raises:
        NotWritten: the folder cannot be written.
        EdgeError: another process uses it.
    """

    def __init__(
        self,
        folder: Path,
        limit: int = LIMIT,
        redact: str | None = None,
        clips: bool = True,
        say: Callable[[str], None] = note,
    ) -> None:
        self._redact, self._clips, self._say = redact, clips, say
        self.dropped = {"frames": 0, "snapshots": 0}
        self._store = Store(folder, limit)
        self._running: dict[str, _Running] = {}
        self._writers: dict[str, ClipWriter] = {}
        self._queue: deque[_Item] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._told = float("-inf")
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def frame(
        self, camera: str, result: FrameResult, events: Sequence[Event], live: bool
    ) -> list[Event]:
        """See a frame.

        Args:
            camera: name of its camera.
            result: of the frame.
            events: that the frame made.
            live: whether the camera goes on without being asked.

        Returns:
            The events with the names of their snapshot and clip, which appear a moment later.
        """
        at = result.frame.arrived if live else result.frame.at
        running = self._running.setdefault(camera, _Running())
        # A little early rather than a whole frame late.
        in_clip = self._clips and not 0 <= at - running.shown < 0.9 / CLIP_FPS
        name = _name(events[0]) if events else None
        if name is not None and self._clips:
            if at > running.until or at - running.begin > MOST_S:
                running.name, running.begin = f"{name}.webm", at
            running.until = at + POST_S
        clip = running.name if at <= running.until else None
        if not in_clip and name is None:
            return list(events)
        if in_clip:
            running.shown = at
        picture = None if name is None else f"{name}.jpg"
        # The mask is another frame's soon.
        kept = replace(result, mask=result.mask.copy(), depth=None)
        written = self._put(_Item(camera, kept, at, picture, clip, running.until, in_clip), live)
        if not written or name is None:
            return list(events)
        return [replace(event, snapshot=picture, clip=clip) for event in events]

    def close(self) -> None:
        """Write what waits, and end the clips that are open."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join(GRACE_S)
        self._store.close()

    def _put(self, item: _Item, live: bool) -> bool:
        most = FRAMES if item.snapshot is None else SNAPSHOTS
        with self._changed:
            while not live and len(self._queue) >= most and not self._ended:
                self._changed.wait()
            if len(self._queue) >= most:
                kind = "frames" if item.snapshot is None else "snapshots"
                self.dropped[kind] += 1
                self._tell("the disk is slow")
                return False
            self._queue.append(item)
            self._changed.notify_all()
        return True

    def _tell(self, why: str) -> None:
        """Say at most once a minute that something is not written."""
        if time.monotonic() - self._told > 60:
            self._told = time.monotonic()
            counts = ", ".join(f"{count} {kind}" for kind, count in self.dropped.items())
            self._say(f"recordings are incomplete, {why}; not written until now: {counts}")

    def _run(self) -> None:
        with suppress(OSError, AttributeError):  # Linux: the cameras' thread comes first
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        while True:
            with self._changed:
                if not self._queue and not self._ended:
                    self._changed.wait(IDLE_S)
                item = self._queue.popleft() if self._queue else None
                ended = self._ended
                self._changed.notify_all()
            if item is None:
                if ended:
                    break
                for writer in self._writers.values():
                    self._attempt("frames", writer.idle)
                continue
            if item.snapshot is not None:
                self._attempt("snapshots", self._snapshot, item)
            if item.in_clip or item.clip is not None:
                self._attempt("frames", self._clip, item)
        for writer in self._writers.values():
            self._attempt("frames", writer.close)

    def _attempt(self, kind: str, step: Callable[..., None], *arguments: object) -> None:
        try:
            step(*arguments)
        except (EdgeError, OSError) as error:
            self.dropped[kind] += 1
            self._tell(getattr(error, "strerror", None) or str(error))
        except Exception as error:  # the thread must go on
            self.dropped[kind] += 1
            self._tell(f"{type(error).__name__}: {error}")

    def _snapshot(self, item: _Item) -> None:
        draft = self._store.draft(".jpg")
        try:
            draft.write_bytes(snapshot(item.result, self._redact))
        except OSError:
            self._store.drop(draft)
            raise
        self._store.publish(draft, str(item.snapshot))

    def _clip(self, item: _Item) -> None:
        writer = self._writers.get(item.camera)
        if writer is None:
            writer = self._writers[item.camera] = ClipWriter(self._store, self._redact)
        writer.add(Picture.of(item.result, item.at), item.clip, item.until)


def _name(event: Event) -> str:
    """The name of an event's picture without its suffix: CAMERA/DAY/TIME-ID, in local time."""
    day, _, clock = event.time.partition("T")
    return f"{slug(event.camera)}/{day}/{clock[:12].replace(':', '-')}-{slug(event.id)[:8]}"
