"""A source of frames as a loop uses it.

A thread reads a live source into a slot for one frame, so that the loop always gets the newest one;
frames that the loop has no time for are counted as dropped. A lost source is opened again after 1,
2, 4 ... at most 60 seconds. A recording has no slot: the loop gets every frame.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from edge.camera.address import redact_address
from edge.camera.frozen import FROZEN_S, FrozenDetector
from edge.camera.network_stream import TIMEOUT_S
from edge.camera.reader import open_reader
from edge.camera.source import (
    CameraError,
    CameraEvent,
    Decoded,
    Frame,
    UnreadableFrame,
)
from edge.camera.value_range import ValueRange
from edge.clock import steady
from edge.errors import UsageError

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0


class Camera:
    """An open source; `take` gives its frames and events until `ended`.

    Args:
        url: address or path (docs/cameras.md).
        wake: set whenever there is something to take, for a loop that waits for several cameras.
        frozen_s: seconds of identical images after which a live source is reported as frozen.
        value_range: range of a 16-bit source that becomes 0 to 255.

    Attributes:
        name: the address without user and password.
        live: frames arrive whether they are taken or not.
        fps: frames per second, the average of a variable rate; 0 if unknown.
        timed: the source has a frame rate or time stamps; a folder of images has neither.
        dropped: frames of a live source that were not taken in time.
        unreadable: frames of a recording that could not be decoded.
        ended: nothing more will come.
        cut_off: a recording ended before its header says so.

    Raises:
        CameraError: the source cannot be opened at first; later losses are events.
    """

    def __init__(
        self,
        url: str,
        wake: threading.Event | None = None,
        frozen_s: float = FROZEN_S,
        value_range: ValueRange | None = None,
    ) -> None:
        self._url, self.name = url, redact_address(url)
        self._range = value_range
        self.wake = wake or threading.Event()
        self.dropped = self.unreadable = 0
        self.ended = self.cut_off = False
        self._frozen_s = frozen_s
        self._number = 0
        self._slot: Frame | None = None
        self._events: deque[CameraEvent] = deque()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._reader = open_reader(url, value_range)
        self.live, self.fps = self._reader.live, self._reader.fps
        self.timed = self.live or self.fps > 0
        self._thread: threading.Thread | None = None
        if self.live:
            self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
            self._thread.start()

    def __enter__(self) -> Camera:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def take(self) -> Frame | CameraEvent | None:
        """Return the oldest event, else the newest frame, else None. Each is given once."""
        with self._lock:
            if self._events:
                return self._events.popleft()
            frame, self._slot = self._slot, None
        if self.live or self.ended:
            return frame
        try:
            read = self._reader.read()
        except UnreadableFrame as error:
            self._number += error.count
            self.unreadable += error.count
            self.cut_off |= error.cut_off
            return CameraEvent("unreadable", steady(), str(error))
        if read is None:
            self.ended = True
            return None
        self.timed |= read.at is not None
        by_number = self._number / self.fps if self.fps else float(self._number)
        return self._next_frame(read, by_number if read.at is None else read.at)

    def close(self) -> None:
        """Stop reading; a second call does nothing."""
        self.ended = True
        self._stop.set()
        if self._thread is None:
            self._reader.close()
        else:
            # A read that is under way ends by itself after TIMEOUT_S.
            self._thread.join(TIMEOUT_S + 1)

    def _next_frame(self, read: Decoded, at: float) -> Frame:
        frame = Frame(
            read.image, self._number, at, time.monotonic(), read.truth, read.decode_ms
        )  # fmt: skip
        self._number += 1
        return frame

    def _report(self, kind: str, text: str) -> None:
        with self._lock:
            self._events.append(CameraEvent(kind, steady(), f"{self.name} {text}"))
        self.wake.set()

    def _run(self) -> None:
        """Read a live source in its thread; an error ends it with an event."""
        try:
            self._read_live()
        except UsageError as error:  # as of a missing --range
            self._report("lost", f"cannot be used: {error}")
            self.ended = True
            self.wake.set()
        except Exception as error:
            self._report("lost", f"cannot be read any more ({type(error).__name__})")
            self.ended = True
            self.wake.set()

    def _read_live(self) -> None:
        wait, lost = FIRST_WAIT_S, False
        frozen = FrozenDetector(self._frozen_s)
        while not self._stop.is_set():
            try:
                read = self._reader.read()
            except UnreadableFrame as error:
                self._number += error.count
                self.unreadable += error.count
                continue
            if read is not None:
                if lost:
                    self._report("back", "is back")
                wait, lost = FIRST_WAIT_S, False
                if (change := frozen.update(read.image)) is not None:
                    kind = "frozen" if change else "moving"
                    text = f"repeats one image for {self._frozen_s:g} s" if change else "moves"
                    self._report(kind, text)
                self._put(self._next_frame(read, steady()))
                continue
            self._reader.close()
            if not lost:
                self._report("lost", "is lost; trying again until it is back")
                lost = True
            wait = self._reconnect(wait)
        self._reader.close()

    def _reconnect(self, wait: float) -> float:
        """Open the source again after `wait` seconds or more; returns the wait of the next time."""
        while not self._stop.wait(wait):
            wait = min(2 * wait, LONGEST_WAIT_S)
            try:
                self._reader = open_reader(self._url, self._range)
                break
            except CameraError:
                continue
        return wait

    def _put(self, frame: Frame) -> None:
        with self._lock:
            self.dropped += self._slot is not None
            self._slot = frame
        self.wake.set()
