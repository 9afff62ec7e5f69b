"""Where the events of `edge watch` go: stdout, sinks through a spool on disk, and recordings."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from edge.errors import EdgeError
from edge.events.event import BEGIN, END, Event
from edge.loop.pipeline import FrameResult
from edge.sinks.sink import CONFIRM
from edge.watch.config import Recordings, WatchConfig
from edge.zones.zone import Zone

if TYPE_CHECKING:
    from edge.sinks.metrics import Metrics
    from edge.sinks.outbox import Outbox
    from edge.sinks.recorder import Recorder
    from edge.sinks.sink import Sink, Site, Switch
    from edge.view.feed import Feed

SPOOL, RECORDINGS = "spool", "recordings"
"""Subfolders of the configuration's folder."""


class Switchboard(Protocol):
    """What can be switched at run time."""

    def switch(self, camera: str, zone: str | None, on: bool) -> None:
        """Switch a zone, or with None a whole camera."""

    def choose(self, profile: str) -> None:
        """Choose a profile."""

    def confirm(self, camera: str) -> None:
        """Learn the scene of a camera anew."""


class Outputs(Protocol):
    """Where events go."""

    def configure(
        self, config: WatchConfig, zones: Mapping[str, Sequence[Zone]], board: Switchboard
    ) -> None:
        """Take over a configuration; at the start and whenever it was read again.

        Args:
            config: checked.
            zones: the zones and lines of each camera.
            board: what sinks may switch.

        Raises:
            EdgeError: a sink cannot be right, or a folder cannot be written.
        """

    def frame(
        self, camera: str, live: bool, result: FrameResult, events: list[Event]
    ) -> list[Event]:
        """See a frame and the events that it made, before they are put; returns them, with the
        pictures that were made of them. Mask and depth are read during this call only."""

    def put(self, event: Event) -> None:
        """Take an event."""

    def close(self) -> None:
        """Hand over what waits, for a few seconds."""


@dataclass(frozen=True)
class _Wired:
    """What outputs were made of."""

    folder: Path
    sinks: Mapping[str, Mapping[str, Any]]
    cameras: Mapping[str, tuple[str, ...]]
    zones: Mapping[str, tuple[Zone, ...]]
    profiles: tuple[str, ...]
    recordings: Recordings | None


class StandardOutputs:
    """A line of JSON on stdout for every event, and what the configuration says besides.

    Args:
        metrics: count frames and events; None: nobody asks.

    Attributes:
        view: sees frames and events; None: there is no view.
    """

    def __init__(self, metrics: Metrics | None = None) -> None:
        self._metrics = metrics
        self.view: Feed | None = None
        if metrics is not None:
            metrics.sources.append(self._measure)
        # What goes on and what is switched off, for sinks that are opened anew.
        self._begun: dict[str, Event] = {}
        self._off: set[tuple[str | None, str | None]] = set()
        self._profile: str | None = None
        self._outbox: Outbox | None = None
        self._sinks: dict[str, Sink] = {}  # of the outbox, by the names of their tables
        self._recorder: Recorder | None = None
        self._wired: _Wired | None = None

    def configure(
        self, config: WatchConfig, zones: Mapping[str, Sequence[Zone]], board: Switchboard
    ) -> None:
        """Take over a configuration; what did not change goes on."""
        wanted = _Wired(
            config.folder,
            config.sinks,
            {
                name: tuple(c.name for c in config.cameras if c.sinks is None or name in c.sinks)
                for name in config.sinks
            },
            {name: tuple(each) for name, each in zones.items()},
            tuple(config.profiles),
            config.recordings,
        )
        if wanted == self._wired:
            return
        former = self._wired
        if self._metrics is not None and former is not None:
            for camera in former.zones.keys() - wanted.zones.keys():
                self._metrics.forget(camera)
        try:
            self._follow(former, wanted, config.places, board)
        except EdgeError:
            if former is None:
                self.close()
            else:
                self._follow(wanted, former, config.places, board)
            raise
        self._wired = wanted

    def _follow(
        self, former: _Wired | None, wired: _Wired, places: Mapping[str, str], board: Switchboard
    ) -> None:
        """Open what is new, close what is gone, and tell the rest what is new to it."""
        from edge.sinks.outbox import Outbox
        from edge.sinks.recorder import Recorder
        from edge.sinks.sink import Resident

        moved = former is None or former.folder != wired.folder
        if moved or (former is not None and former.recordings != wired.recordings):
            self._close_recorder()
        if moved or not wired.sinks:
            self._close_outbox()
        if wired.recordings is not None and self._recorder is None:
            self._recorder = Recorder(
                wired.folder / RECORDINGS,
                wired.recordings.limit_mb * 1_000_000,
                wired.recordings.redact,
                wired.recordings.clips,
            )
        if not wired.sinks:
            return
        outbox, before = self._outbox, self._sinks
        kept = {}
        if outbox is not None and former is not None:
            same = [name for name in before if wired.sinks.get(name) == former.sinks.get(name)]
            kept = {name: before[name] for name in same}
            # First: two connections of one name would push each other out.
            outbox.remove([sink.name for name, sink in before.items() if name not in kept])
        self._sinks = dict(kept)
        for name, sink in kept.items():
            if isinstance(sink, Resident):
                sink.set_site(self._site(name, wired, board))
        opened: dict[str, Sink] = {}
        try:
            for name in wired.sinks.keys() - kept.keys():
                opened[name] = self._opened(name, wired, places, board)
            sinks = {name: kept.get(name) or opened[name] for name in wired.sinks}
            cameras = {sink.name: wired.cameras[name] for name, sink in sinks.items()}
            if outbox is None:
                self._outbox = Outbox(wired.folder / SPOOL, list(sinks.values()), cameras)
            else:
                outbox.set_sinks(list(sinks.values()), cameras)
        except EdgeError:
            for sink in opened.values():
                sink.close()
            raise
        self._sinks = sinks

    def _opened(
        self, name: str, wired: _Wired, places: Mapping[str, str], board: Switchboard
    ) -> Sink:
        from edge.sinks.sink import open_sink

        try:
            return open_sink({"name": name, **wired.sinks[name]}, self._site(name, wired, board))
        except EdgeError as error:
            place = places.get(name, f"sink `{name}`")
            raise type(error)(f"{place}: {error.message}", error.hint) from error

    def _site(self, name: str, wired: _Wired, board: Switchboard) -> Site:
        """What a sink may know, with what goes on at the cameras whose events it gets."""
        from edge.sinks.sink import Site

        return Site(
            wired.zones,
            sorted(wired.profiles, key=lambda profile: profile != self._profile),
            partial(self._switched, board),
            None if wired.recordings is None else wired.folder / RECORDINGS,
            off=self._off,
            begun=[e for e in self._begun.values() if e.camera in wired.cameras[name]],
        )

    def frame(
        self, camera: str, live: bool, result: FrameResult, events: list[Event]
    ) -> list[Event]:
        """Record and count a frame where that is wanted."""
        if self._metrics is not None:
            self._metrics.frame(camera, result.latency_ms, result.foreground)
        if self.view is not None:
            self.view.frame(camera, result, events)
        if self._recorder is None:
            return events
        return self._recorder.frame(camera, result, events, live)

    def put(self, event: Event) -> None:
        """Print an event, and hand it to the sinks."""
        sys.stdout.write(event.as_json() + "\n")
        sys.stdout.flush()
        if event.phase == BEGIN:
            self._begun[event.incident] = event
        elif event.phase == END:
            self._begun.pop(event.incident, None)
        if self._metrics is not None:
            self._metrics.event(event)
        if self.view is not None:
            self.view.event(event)
        if self._outbox is not None:
            self._outbox.put(event)

    def close(self) -> None:
        """Hand over what waits, for a few seconds."""
        self._close_recorder()
        self._close_outbox()
        self._wired = None

    def _close_recorder(self) -> None:
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.close()

    def _close_outbox(self) -> None:
        outbox, self._outbox, self._sinks = self._outbox, None, {}
        if outbox is not None:
            outbox.close()

    def _switched(self, board: Switchboard, switch: Switch) -> None:
        """Take what somebody switched at a sink."""
        if switch.camera is None:
            board.choose(switch.value)
            self._profile = switch.value
            return
        if switch.value == CONFIRM:
            board.confirm(switch.camera)
            return
        on, place = switch.value == "ON", (switch.camera, switch.zone)
        board.switch(*place, on)
        (self._off.discard if on else self._off.add)(place)

    def _measure(self) -> None:
        """Tell the metrics what waits and what was lost."""
        assert self._metrics is not None
        outbox, recorder = self._outbox, self._recorder
        if outbox is not None:
            for sink, waiting in outbox.spool.waiting().items():
                self._metrics.set("spool_events", waiting, sink=sink)
                self._metrics.set("spool_dropped_total", outbox.spool.dropped[sink], sink=sink)
                self._metrics.set("spool_refused_total", outbox.refused[sink], sink=sink)
        if recorder is not None:
            for kind, count in recorder.dropped.items():
                self._metrics.set("recordings_dropped_total", count, kind=kind)
