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
        names = _names(sinks)
        self._cameras = cameras or {}
        self._say, self._first_wait_s = say, first_wait_s
        self.refused, self.lost = dict.fromkeys(names, 0), 0
        self._queue: deque[Event] = deque()
        self._queued = threading.Event()
        self._closing, self._written = threading.Event(), threading.Event()
        self._gone: OSError | None = None
        self.spool = Spool(folder, names, limit, say)
        self._deliveries: dict[str, _Delivery] = {}
        self._writer = threading.Thread(target=self._write, name="spool", daemon=True)
        self._writer.start()
        self._deliveries = {sink.name: self._delivery(sink) for sink in sinks}

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
        for sink in self.sinks:
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
        deliveries = self._deliveries.values()
        self._closing.set()
        for delivery in deliveries:
            delivery.closing.set()
        self._queued.set()
        for thread in (self._writer, *(delivery.thread for delivery in deliveries)):
            thread.join(max(0.0, until - time.monotonic()))
        for delivery in deliveries:
            delivery.end()
        self.spool.close()

    @property
    def sinks(self) -> list[Sink]:
        """The sinks that get events."""
        return [delivery.sink for delivery in self._deliveries.values()]

    def remove(self, names: Collection[str]) -> None:
        """End sinks at once, whatever waits for them; `set_sinks` says what becomes of that."""
        ended = [self._deliveries[name] for name in names]
        self._deliveries = {k: d for k, d in self._deliveries.items() if k not in names}
        for delivery in ended:
            delivery.end()

    def set_sinks(
        self, sinks: Sequence[Sink], cameras: Mapping[str, Collection[str]] | None = None
    ) -> None:
        """Take other sinks, as the constructor does; those that are here already just go on.

        One of a name that was removed before goes on where that one ended.

        Raises:
            UsageError: two sinks have one name.
        """
        names = _names(sinks)
        self.remove(self._deliveries.keys() - set(names))
        self._cameras = cameras or {}
        self.refused = {**dict.fromkeys(names, 0), **self.refused}
        self.spool.set_sinks(names)
        self._deliveries = {
            sink.name: self._deliveries.get(sink.name) or self._delivery(sink) for sink in sinks
        }

    def _delivery(self, sink: Sink) -> _Delivery:
        """Begin to hand events to a sink."""
        return _Delivery(sink, self._deliver)

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
            for delivery in list(self._deliveries.values()):
                delivery.news.set()

    def _deliver(self, delivery: _Delivery) -> None:
        """Hand events to a sink until the end."""
        sink, news = delivery.sink, delivery.news
        while not delivery.stop.is_set():
            news.clear()
            ended = self._written.is_set()
            row = self.spool.take(sink.name)
            if row is None:
                if ended:
                    return
                if not delivery.stop.is_set():  # it may have been set before `clear`
                    news.wait()
                continue
            number, body = row
            try:
                event = read_event(body)
            except ValueError as error:
                self._say(f"an event in {self.spool.folder} is passed over: {error}")
            else:
                if self._wants(sink, event) and not self._handed(delivery, event):
                    return
            self.spool.done(sink.name, number)

    def _handed(self, delivery: _Delivery, event: Event) -> bool:
        """Hand an event over, as often as it takes; False: the end came first."""
        sink, wait, refusals, failed = delivery.sink, self._first_wait_s, 0, False
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
            if delivery.closing.is_set():
                return False
            if not failed and not refusals:
                self._say(f"{sink.name}: {reason}; events wait until it takes them")
                failed = True
            if delivery.closing.wait(wait):
                return False
            wait = min(2 * wait, LONGEST_WAIT_S)


class _Delivery:
    """A sink and the thread that hands it events.

    Attributes:
        news: there may be an event.
        closing: what fails is not tried again.
        stop: nothing more is handed over.
    """

    def __init__(self, sink: Sink, deliver: Callable[[_Delivery], None]) -> None:
        self.sink = sink
        self.news, self.closing, self.stop = (threading.Event() for _ in range(3))
        self.thread = threading.Thread(target=deliver, args=(self,), name=sink.name, daemon=True)
        self.thread.start()

    def end(self) -> None:
        """Close the sink; one that hangs is left to its thread."""
        for event in (self.closing, self.stop, self.news):
            event.set()
        self.sink.close()
        self.thread.join(0.5)


def _names(sinks: Sequence[Sink]) -> list[str]:
    names = [sink.name for sink in sinks]
    if len(set(names)) < len(names):
        raise UsageError(f"two sinks have one name: {', '.join(names)}", "give each a `name`")
    return names
