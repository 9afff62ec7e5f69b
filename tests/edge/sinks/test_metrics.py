"""Metrics as Prometheus reads them."""

from __future__ import annotations

import math
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import numpy as np
import pytest

from edge.errors import EdgeError, UsageError
from edge.sinks import metrics as rooms
from edge.sinks.metrics import BUCKETS, METRICS, Metrics, MetricsServer, parse_place

from .broker import free_port
from .events import event

SAMPLE = re.compile(
    r'([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\\\|\\"|\\n)*",?)*)\})? (\S+)'
)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parse(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The samples of an exposition, by the grammar of its specification."""
    assert text.endswith("\n")
    samples, typed = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in typed
            typed[name] = kind
        elif not line.startswith("# HELP "):
            found = SAMPLE.fullmatch(line)
            assert found, line
            base = re.sub(r"_(bucket|sum|count)$", "", found[1])
            assert found[1] in typed or typed[base] == "histogram"
            labels = tuple(LABEL.findall(found[2] or ""))
            assert (found[1], labels) not in samples
            samples[found[1], labels] = float(found[3].replace("Inf", "inf"))
    return samples


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def server(metrics: Metrics) -> Iterator[MetricsServer]:
    running = MetricsServer(metrics, f"127.0.0.1:{free_port()}")
    yield running
    running.close()


def test_nothing_yet(metrics: Metrics) -> None:
    assert metrics.text() == "\n"


def test_frames_and_events_are_counted(metrics: Metrics) -> None:
    for _ in range(20):
        metrics.frame("door", 8.0, 0.25)
    metrics.event(event(kind="lost", phase="begin"))
    metrics.event(event(kind="back", phase="end"))
    metrics.event(event(kind="line_crossed"))
    metrics.event(event(kind="line_crossed"))
    metrics.set("dropped_frames_total", 1, camera="door")
    metrics.set("int8_drift", 0.002, camera="door", output="mask")
    metrics.sources.append(lambda: metrics.set("spool_events", 3, sink="mqtt"))
    samples = parse(metrics.text())
    door = ("camera", "door")
    assert samples["edge_frames_total", (door,)] == 20
    assert samples["edge_dropped_frames_total", (door,)] == 1
    assert samples["edge_foreground_share", (door,)] == 0.25
    assert samples["edge_fps", (door,)] == 2.0
    assert samples["edge_reconnects_total", (door,)] == 1
    assert samples["edge_int8_drift", (door, ("output", "mask"))] == 0.002
    assert samples["edge_spool_events", (("sink", "mqtt"),)] == 3
    crossed = (door, ("kind", "line_crossed"), ("phase", "once"))
    assert samples["edge_events_total", crossed] == 2


def test_latency_is_a_histogram(metrics: Metrics, rng: np.random.Generator) -> None:
    given = rng.exponential(0.1, 500)
    for seconds in given:
        metrics.frame("door", 1e3 * seconds, 0)
    samples, door = parse(metrics.text()), ("camera", "door")
    for most in (*BUCKETS, math.inf):
        le = ("le", "+Inf" if math.isinf(most) else f"{most:g}")
        assert samples["edge_latency_seconds_bucket", (door, le)] == (given <= most).sum()
    assert samples["edge_latency_seconds_count", (door,)] == 500
    assert samples["edge_latency_seconds_sum", (door,)] == pytest.approx(given.sum())


def test_a_camera_that_stands_still_has_no_frame_rate(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(rooms.time, "monotonic", lambda: now[0])
    for _ in range(2000):
        now[0] += 1 / 200
        metrics.frame("door", 1, 0)
    assert parse(metrics.text())["edge_fps", (("camera", "door"),)] == pytest.approx(200, rel=0.01)
    now[0] += 60
    assert parse(metrics.text())["edge_fps", (("camera", "door"),)] == 0


def test_names_are_escaped(metrics: Metrics) -> None:
    name = 'a"b\\c\nd Tür'
    metrics.frame(name, 1, 0)
    assert 'camera="a\\"b\\\\c\\nd Tür"' in metrics.text()
    parse(metrics.text())


def test_a_camera_that_is_gone_is_shown_no_more(metrics: Metrics) -> None:
    metrics.frame("door", 1, 0)
    metrics.frame("yard", 1, 0)
    metrics.event(event(camera="door"))
    metrics.forget("door")
    assert "door" not in metrics.text()
    assert "yard" in metrics.text()


def test_every_metric_follows_the_rules_of_names() -> None:
    for name, (kind, text) in METRICS.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert name.endswith("_total") == (kind == "counter")
        assert "\n" not in text


def test_the_server_shows_them(metrics: Metrics, server: MetricsServer) -> None:
    metrics.frame("door", 1, 0)
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert parse(answer.read().decode())
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://127.0.0.1:{server.port}/")


def test_a_client_that_says_nothing_or_nonsense_stops_no_other(
    metrics: Metrics, server: MetricsServer
) -> None:
    metrics.frame("door", 1, 0)
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
    silent[0].sendall(b"\x00\xff" * 100 + b"\r\n\r\n")
    silent[1].sendall(b"GET /" + b"x" * 100_000)
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=60) as answer:
        assert b"edge_frames_total" in answer.read()
    for each in silent:
        each.close()


def test_a_port_in_use_is_one_sentence(metrics: Metrics, server: MetricsServer) -> None:
    with pytest.raises(EdgeError, match="Address already in use"):
        MetricsServer(metrics, f"127.0.0.1:{server.port}")


def test_places() -> None:
    assert parse_place("127.0.0.1:9108") == ("127.0.0.1", 9108)
    assert parse_place(":9108") == ("", 9108)
    assert parse_place("[::1]:9108") == ("::1", 9108)
    for place in ("", "9108", "host", "host:", "host:0", "host:65536", "host:x", "::1:9108", "h:²"):
        with pytest.raises(UsageError, match="HOST:PORT"):
            parse_place(place)
