"""`edge demo`: a rendered yard, a page, and an event when somebody walks in."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from edge.cli import demo
from edge.errors import UsageError
from edge.zones.file import read_zones, write_zones

from ..edge.sinks.broker import free_port


def page(place: str, seconds: float = 120.0) -> bytes:
    """The page, once it is there."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        connection = http.client.HTTPConnection(place, timeout=5)
        with suppress(OSError):
            connection.request("GET", "/")
            return connection.getresponse().read()
        time.sleep(0.05)
    return b""


@pytest.fixture(autouse=True)
def _small_build(builds: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "default_build", lambda precision: builds("openvino", precision))


@pytest.mark.slow
def test_somebody_walks_into_the_zone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place, found = f"127.0.0.1:{free_port()}", []
    looking = threading.Thread(target=lambda: found.append(page(place)))
    looking.start()
    demo.demo(place, None, tmp_path / "demo", frames=100)
    looking.join()
    assert b"view.js" in found[0]
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "no entry" in [event["zone"] for event in told if event["kind"] == "zone_entered"]


def test_what_was_drawn_before_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = []
    monkeypatch.setattr(demo, "watch_all", lambda config, **_: watched.append(config))
    zones = tmp_path / "zones.json"
    demo.demo("127.0.0.1:8700", None, tmp_path)
    assert [zone.name for zone in read_zones(zones)] == ["no entry"]
    write_zones(zones, [])
    demo.demo("127.0.0.1:8700", None, tmp_path)
    assert read_zones(zones) == []
    assert watched[1].cameras[0].zones == zones
    zones.write_text("{")
    with pytest.raises(UsageError, match=r"zones\.json: line 1"):
        demo.demo("127.0.0.1:8700", None, tmp_path)


def test_others_need_a_token(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a --view-token"):
        demo.demo(":8700", None, tmp_path / "demo")
    assert not (tmp_path / "demo").exists()
