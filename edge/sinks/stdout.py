"""stdout: a line of JSON for every event."""

from __future__ import annotations

import sys

from edge.events.event import Event
from edge.sinks.sink import SINKS, Sink, Site, Table, check_keys, text


class StdoutSink:
    """Prints events; an OSError says that nobody reads them any more."""

    def __init__(self, name: str = "stdout") -> None:
        self.name = name

    def send(self, event: Event) -> None:
        """Print an event."""
        sys.stdout.write(event.as_json() + "\n")
        sys.stdout.flush()

    def close(self) -> None:
        """Nothing is left open."""


def open_stdout(table: Table, site: Site) -> Sink:
    """Open `stdout`."""
    check_keys(table, ("url", "name"), "stdout")
    return StdoutSink(text(table, "name") or "stdout")


SINKS["stdout"] = open_stdout
