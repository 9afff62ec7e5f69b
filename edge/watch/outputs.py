"""Where the events of `edge watch` go."""

from __future__ import annotations

import sys

from edge.events.event import Event
from edge.loop.pipeline import FrameResult
from edge.watch.config import WatchConfig
from edge.watch.watch import Watched


class Lines:
    """A line of JSON on stdout for every event."""

    def put(self, event: Event, sinks: tuple[str, ...] | None) -> None:
        """Print an event."""
        sys.stdout.write(event.as_json() + "\n")
        sys.stdout.flush()

    def frame(self, watched: Watched, result: FrameResult, events: list[Event]) -> list[Event]:
        """There are no pictures."""
        return events

    def configure(self, config: WatchConfig) -> None:
        """There is nothing to change."""
