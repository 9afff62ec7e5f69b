"""stdout: a line of JSON for every event."""

from __future__ import annotations

import sys

from edge.events.event import Event
from edge.sinks.sink import SINKS, Sink, Site, Table, check_keys


class StdoutSink:
    """Prints events; an OSError says that nobody reads them any more."""

    name = "stdout"

    def send(self, event: Event) -> None:
        """Print an event."""
        sys.stdout.write(event.as_json() + "\n")
        sys.stdout.flush()

    def close(self) -> None:
        """Nothing is left open."""


def open_stdout(table: Table, site: Site) -> Sink:
    """Open `stdout`."""
    check_keys(table, ("url",), "stdout")
    return StdoutSink()


SINKS["stdout"] = open_stdout
