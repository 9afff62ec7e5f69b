"""Where the events of `edge watch` go: stdout, sinks through a spool on disk, and recordings."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from edge.errors import EdgeError
from edge.events.event import Event
from edge.loop.pipeline import FrameResult
from edge.watch.config import Recordings, WatchConfig
from edge.zones.zone import Zone

if TYPE_CHECKING:
    from edge.sinks.outbox import Outbox
    from edge.sinks.recorder import Recorder

SPOOL, RECORDINGS = "spool", "recordings"
"""Subfolders of the configuration's folder."""


class Switchboard(Protocol):
    """What can be switched at run time."""

    def switch(self, camera: str, zone: str | None, on: bool) -> None:
        """Switch a zone, or with None a whole camera."""

    def choose(self, profile: str) -> None:
        """Choose a profile."""


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
    """What outputs were made of; made anew where it changes."""

    folder: Path
    sinks: Mapping[str, Mapping[str, Any]]
    cameras: Mapping[str, tuple[str, ...]]
    zones: Mapping[str, tuple[Zone, ...]]
    profiles: tuple[str, ...]
    recordings: Recordings | None


class StandardOutputs:
    """A line of JSON on stdout for every event, and what the configuration says besides."""

    def __init__(self) -> None:
        self._outbox: Outbox | None = None
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
        self.close()
        try:
            self._open(wanted, config.places, board)
        except EdgeError:
            self.close()
            if former is not None:
                self._open(former, config.places, board)
                self._wired = former
            raise
        self._wired = wanted

    def _open(self, wired: _Wired, places: Mapping[str, str], board: Switchboard) -> None:
        from edge.sinks.outbox import Outbox
        from edge.sinks.recorder import Recorder
        from edge.sinks.sink import Site, open_sink

        recordings = None
        if wired.recordings is not None:
            recordings = wired.folder / RECORDINGS
            self._recorder = Recorder(
                recordings,
                wired.recordings.limit_mb * 1_000_000,
                wired.recordings.redact,
                wired.recordings.clips,
            )
        if not wired.sinks:
            return
        site = Site(wired.zones, wired.profiles, _switch(board), recordings)
        opened = []
        try:
            for name, table in wired.sinks.items():
                try:
                    opened.append(open_sink({"name": name, **table}, site))
                except EdgeError as error:
                    place = places.get(name, f"sink `{name}`")
                    raise type(error)(f"{place}: {error.message}", error.hint) from error
            self._outbox = Outbox(wired.folder / SPOOL, opened, wired.cameras)
        except EdgeError:
            for sink in opened:
                sink.close()
            raise

    def frame(
        self, camera: str, live: bool, result: FrameResult, events: list[Event]
    ) -> list[Event]:
        """Record a frame where that is wanted."""
        if self._recorder is None:
            return events
        return self._recorder.frame(camera, result, events, live)

    def put(self, event: Event) -> None:
        """Print an event, and hand it to the sinks."""
        sys.stdout.write(event.as_json() + "\n")
        sys.stdout.flush()
        if self._outbox is not None:
            self._outbox.put(event)

    def close(self) -> None:
        """Hand over what waits, for a few seconds."""
        if self._recorder is not None:
            self._recorder.close()
        if self._outbox is not None:
            self._outbox.close()
        self._recorder = self._outbox = self._wired = None


def _switch(board: Switchboard) -> Callable[[Any], None]:
    """Takes what somebody switched at a sink."""

    def switched(switch: Any) -> None:
        if switch.camera is None:
            board.choose(switch.value)
        else:
            board.switch(switch.camera, switch.zone, switch.value == "ON")

    return switched
