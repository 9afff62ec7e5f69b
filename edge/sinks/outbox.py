"""The outbox: events go to the disk, and from there to every sink in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from edge.errors import UsageError
from edge.events.event import Event
from edge.progress import note
from edge.sinks.sink import EventRefused, Observer, Sink, SinkError
from edge.sinks.spool import LIMIT, Spool, read_event

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
"""Between two attempts to hand over the same event."""
REFUSALS = 3
"""Attempts after which an event is passed over that its receiver refuses."""
QUEUED = 10_000
"""Events that wait for a disk that hangs."""
GRACE_S = 5.0
"""Seconds that sinks have at the end for what still waits; the next start sends the rest."""


class Outbox:
    """Takes events from cameras and brings each to every sink, at least once and in order.

    A sink sees an event when it is on the disk. A sink that fails gets the same event again after
    1, 2, 4 ... at most 60 seconds, and stops nobody else. A process that is killed sends what is
    left after its next start; at most the one event that a sink was taking comes twice.

    Args:
        folder: of the spool.
        sinks: with names of their own.
        cameras: for a sink's name the cameras whose events it gets; all where it has no entry.
        limit: events that wait at most.
        say: told sentences for the user.
        first_wait_s: seconds before the second attempt.

    Attributes:
        spool: what waits.
        refused: for each sink the events that its receiver refused for good.
        lost: events that were dropped because the disk hung.

    Raises:
        UsageError: two sinks have one name.
        EdgeError: of edge.sinks.spool.Spool.
    """

    def __init__(
        self,
        folder: Path,
        sinks: Sequence[Sink],
        cameras: Mapping[str, Collection[str]] | None = None,
        limit: int = LIMIT,
        say: Callable[[str], None] = note,
        first_wait_s: float = FIRST_WAIT_S,
    ) -> None:
        names = [sink.name for sink in sinks]
        if len(set(names)) < len(names):
            raise UsageError(f"two sinks have one name: {', '.join(names)}", "give each a `name`")
        self._sinks, self._cameras = sinks, cameras or {}
        self._say, self._first_wait_s = say, first_wait_s
        self.refused, self.lost = dict.fromkeys(names, 0), 0
        self._queue: deque[Event] = deque()
        self._queued = threading.Event()
        self._closing, self._written, self._stop = (threading.Event() for _ in range(3))
        self._gone: OSError | None = None
        self.spool = Spool(folder, names, limit, say)
        self._news = {name: threading.Event() for name in names}
        self._writer = threading.Thread(target=self._write, name="spool", daemon=True)
        self._deliveries = [
            threading.Thread(target=self._deliver, args=(sink,), name=sink.name, daemon=True)
            for sink in sinks
        ]
        for thread in (self._writer, *self._deliveries):
            thread.start()

    def __enter__(self) -> Outbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def put(self, event: Event) -> None:
        """Take an event; it does not wait for the disk.

        Raises:
            OSError: as `check`.
        """
        self.check()
        for sink in self._sinks:
            if isinstance(sink, Observer) and self._wants(sink, event):
                sink.observe(event)
        if len(self._queue) >= QUEUED:
            if not self.lost:
                self._say(f"the disk hangs, {QUEUED} events wait for it: further ones are dropped")
            self.lost += 1
            return
        self._queue.append(event)
        self._queued.set()

    def check(self) -> None:
        """Raise the OSError of a sink that is gone for good, as stdout whose reader has ended."""
        if self._gone is not None:
            raise self._gone

    def close(self) -> None:
        """Write what was put, let the sinks take it for a few seconds, and end them."""
        until = time.monotonic() + GRACE_S
        self._closing.set()
        self._queued.set()
        for thread in (self._writer, *self._deliveries):
            thread.join(max(0.0, until - time.monotonic()))
        self._stop.set()
        for sink in self._sinks:
            sink.close()
        for thread in self._deliveries:
            thread.join(0.5)
        self.spool.close()

    def _wants(self, sink: Sink, event: Event) -> bool:
        wanted = self._cameras.get(sink.name)
        return wanted is None or event.camera in wanted

    def _write(self) -> None:
        """Bring events to the disk, all that came meanwhile at once."""
        while not self._written.is_set():
            self._queued.wait()
            self._queued.clear()
            ending = self._closing.is_set()
            events = [self._queue.popleft() for _ in range(len(self._queue))]
            if events:
                self.spool.append(events)
            if ending:
                self._written.set()
            for news in self._news.values():
                news.set()

    def _deliver(self, sink: Sink) -> None:
        """Hand events to a sink until the end."""
        news = self._news[sink.name]
        while not self._stop.is_set():
            news.clear()
            ended = self._written.is_set()
            row = self.spool.take(sink.name)
            if row is None:
                if ended:
                    return
                news.wait()
                continue
            number, body = row
            try:
                event = read_event(body)
            except ValueError as error:
                self._say(f"an event in {self.spool.folder} is passed over: {error}")
            else:
                if self._wants(sink, event) and not self._handed(sink, event):
                    return
            self.spool.done(sink.name, number)

    def _handed(self, sink: Sink, event: Event) -> bool:
        """Hand an event over, as often as it takes; False: the end came first."""
        wait, refusals, failed = self._first_wait_s, 0, False
        while True:
            try:
                sink.send(event)
            except EventRefused as error:
                refusals += 1
                reason = str(error)
                if refusals == REFUSALS:
                    self.refused[sink.name] += 1
                    self._say(f"{sink.name} refuses event {event.id}, it is passed over: {reason}")
                    return True
            except SinkError as error:
                reason = str(error)
            except OSError as error:
                self._gone = error
                return False
            except Exception as error:  # a fault of the sink must not end its thread silently
                reason = f"{type(error).__name__} in the sink"
            else:
                if failed:
                    self._say(f"{sink.name} takes events again")
                return True
            if self._closing.is_set():
                return False
            if not failed and not refusals:
                self._say(f"{sink.name}: {reason}; events wait until it takes them")
                failed = True
            if self._closing.wait(wait):
                return False
            wait = min(2 * wait, LONGEST_WAIT_S)
