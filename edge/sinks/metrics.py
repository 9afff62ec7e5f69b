"""Metrics in the text format of Prometheus, version 0.0.4, and the server that shows them.

A table, a lock and the http.server of Python: the format has not changed since 2014, and a device
needs no package more for it.
"""

from __future__ import annotations

import math
import socketserver
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6
from typing import Any

from edge.errors import EdgeError, UsageError
from edge.events.event import Event

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"
METRICS = {
    "frames_total": (COUNTER, "Frames processed."),
    "dropped_frames_total": (COUNTER, "Frames that a camera gave and the loop had no time for."),
    "unreadable_frames_total": (COUNTER, "Frames that could not be decoded."),
    "fps": (GAUGE, "Frames processed a second, over the last ten seconds."),
    "latency_seconds": (HISTOGRAM, "From the arrival of a frame to its mask."),
    "foreground_share": (GAUGE, "Share of the last frame in the mask, 0 to 1."),
    "events_total": (COUNTER, "Events, by their kind and phase."),
    "reconnects_total": (COUNTER, "Times that a lost camera came back."),
    "spool_events": (GAUGE, "Events that wait for a sink."),
    "spool_dropped_total": (COUNTER, "Events that were dropped before a sink had them."),
    "spool_refused_total": (COUNTER, "Events that a receiver refused for good."),
    "recordings_dropped_total": (COUNTER, "Frames of clips, and snapshots, not written."),
    "int8_drift": (GAUGE, "Difference of INT8 from FP32 at this site, by output, 0 to 1."),
    "int8_compared_total": (COUNTER, "Frames that were compared with FP32."),
}
"""Every metric, its type and its help; `edge_` comes before the names."""
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Seconds of latency."""
WINDOW_S = 10.0
"""Seconds over which the frame rate is counted."""
CONTENT = "text/plain; version=0.0.4; charset=utf-8"
TIMEOUT_S = 5.0
"""Seconds for which a scraper may say nothing."""

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """What is counted; every method may be called from any thread.

    Attributes:
        sources: called before the metrics are shown, to set what is known then only.
    """

    def __init__(self) -> None:
        self.sources: list[Callable[[], None]] = []
        self._values: dict[str, dict[Labels, float]] = {name: {} for name in METRICS}
        self._latency: dict[str, list[float]] = {}
        self._arrivals: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def frame(self, camera: str, latency_ms: float, foreground: float) -> None:
        """Count a frame of a camera.

        Args:
            camera: its name.
            latency_ms: from its arrival to its mask.
            foreground: share of it in the mask.
        """
        labels = (("camera", camera),)
        with self._lock:
            values = self._values
            values["frames_total"][labels] = values["frames_total"].get(labels, 0) + 1
            values["foreground_share"][labels] = foreground
            latency = self._latency.setdefault(camera, [0.0] * (len(BUCKETS) + 2))
            seconds = latency_ms / 1e3
            place = next((i for i, most in enumerate(BUCKETS) if seconds <= most), len(BUCKETS))
            latency[place] += 1
            latency[-1] += seconds
            self._arrivals.setdefault(camera, deque(maxlen=1000)).append(time.monotonic())

    def event(self, event: Event) -> None:
        """Count an event."""
        self.add("events_total", camera=event.camera, kind=event.kind, phase=event.phase)
        if event.kind == "back":
            self.add("reconnects_total", camera=event.camera)

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter of METRICS."""
        values, key = self._values[name], tuple(labels.items())
        with self._lock:
            values[key] = values.get(key, 0) + amount

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge of METRICS, or a counter that somebody else counts."""
        with self._lock:
            self._values[name][tuple(labels.items())] = value

    def forget(self, camera: str) -> None:
        """Show nothing more of a camera that is gone."""
        with self._lock:
            for values in self._values.values():
                for labels in [labels for labels in values if ("camera", camera) in labels]:
                    del values[labels]
            self._latency.pop(camera, None)
            self._arrivals.pop(camera, None)

    def text(self) -> str:
        """All metrics that have a value."""
        for source in self.sources:
            source()
        with self._lock:
            now = time.monotonic()
            for camera, arrivals in self._arrivals.items():
                while arrivals and now - arrivals[0] > WINDOW_S:
                    arrivals.popleft()
                full = len(arrivals) == arrivals.maxlen
                over = now - arrivals[0] if full else WINDOW_S
                self._values["fps"][(("camera", camera),)] = len(arrivals) / max(over, 1e-3)
            lines = []
            for name, (kind, help_text) in METRICS.items():
                found = self._histogram() if kind == HISTOGRAM else self._plain(name)
                if found:
                    lines += [f"# HELP edge_{name} {help_text}", f"# TYPE edge_{name} {kind}"]
                    lines += found
        return "\n".join(lines) + "\n"

    def _plain(self, name: str) -> list[str]:
        return [_line(name, labels, value) for labels, value in self._values[name].items()]

    def _histogram(self) -> list[str]:
        lines = []
        for camera, latency in self._latency.items():
            own, total = ("camera", camera), 0.0
            for most, count in zip((*BUCKETS, math.inf), latency, strict=False):
                total += count
                labels = (own, ("le", _number(most)))
                lines.append(_line("latency_seconds_bucket", labels, total))
            lines.append(_line("latency_seconds_sum", (own,), latency[-1]))
            lines.append(_line("latency_seconds_count", (own,), total))
        return lines


class MetricsServer:
    """Shows metrics at http://HOST:PORT/metrics until it is closed.

    Args:
        metrics: shown.
        place: HOST:PORT, as `127.0.0.1:9108`, `:9108` for every address or `[::1]:9108`.

    Attributes:
        port: on which it listens.

    Raises:
        UsageError: the place cannot be read.
        EdgeError: it cannot listen there.
    """

    def __init__(self, metrics: Metrics, place: str) -> None:
        host, port = parse_place(place)

        class Handler(BaseHTTPRequestHandler):
            timeout = TIMEOUT_S
            server_version, sys_version = "edge", ""

            def do_GET(self) -> None:
                self._answer()

            def do_HEAD(self) -> None:
                self._answer()

            def _answer(self) -> None:
                found = self.path.partition("?")[0] == "/metrics"
                body = metrics.text().encode() if found else b"metrics are at /metrics\n"
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", CONTENT)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Scrapes are no news."""

        try:
            self._server = _Server(host, port, Handler)
        except OSError as error:
            raise EdgeError(f"--metrics {place}: {error.strerror or error}") from None
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="metrics", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        if ":" in host:
            self.address_family = AF_INET6
        super().__init__((host, port), handler)

    def server_bind(self) -> None:
        """Bind; that of HTTPServer asks the name service, which may not answer."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "edge", int(self.server_address[1])

    def handle_error(self, *_: Any) -> None:
        """A scraper that went away is no news either."""


def parse_place(
    place: str, option: str = "--metrics", example: str = "127.0.0.1:9108"
) -> tuple[str, int]:
    """HOST:PORT as a host and a number; UsageError if it is none, which names the option."""
    host, mark, port = place.rpartition(":")
    inside = host.removeprefix("[").removesuffix("]")
    bracketed = host.startswith("[") and host.endswith("]")
    number = 0
    with suppress(ValueError):
        number = int(port) if port.isascii() and port.isdigit() else 0
    if not mark or not 0 < number < 65536 or (":" in inside) != bracketed:
        raise UsageError(f"{option} {place}: expected HOST:PORT", f"{option} {example}")
    return inside, number


def _line(name: str, labels: Labels, value: float) -> str:
    inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
    return (
        f"edge_{name}{{{inside}}} {_number(value)}" if labels else f"edge_{name} {_number(value)}"
    )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if math.isnan(value):
        return "NaN"
    return str(int(value)) if value == int(value) else repr(float(value))
