"""What describes a camera and its scene: zones, cameras.toml, metres, hours, addresses."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.calibrate.rendering.camera import open_rendered
from edge.camera.address import NETWORK, redact_address
from edge.camera.schemes.csi import open_csi
from edge.camera.schemes.stream import check_address
from edge.camera.source import open_stored
from edge.sinks.mqtt import open_mqtt
from edge.sinks.sink import Site
from edge.sinks.spool import read_event
from edge.sinks.webhook import open_webhook
from edge.things.metres import Metres, read_metres
from edge.watch.config import read_config
from edge.zones.file import as_json, parse_zones, read_zones
from edge.zones.hours import parse_hours

from .examples import examples, outcome
from .mutations import JSON, damaged, documents, json_files

ZONES = {
    "schema": 1,
    "zones": [
        {"name": "yard", "kind": "restricted", "points": [[0, 0], [1, 0], [1, 0.5]],
         "min_size": 0.01, "depth": [0.1, 0.9], "hours": ["mon-fri 22:00-06:00"]},
        {"name": "hall", "kind": "counted", "points": [[0, 0], [1, 0], [1, 0.5]], "max_count": 3,
         "loitering_s": 60},
        {"name": "gate", "kind": "line", "points": [[0.1, 0.2], [0.9, 0.8]], "hysteresis": 0.02,
         "directions": ["in", "out"]},
    ],
}  # fmt: skip
CAMERAS = """\
build = "build/small"
folder = "watch"
[cameras.door]
source = "rtsp://user:password@10.0.0.7/stream"
background = "door.png"
zones = "zones.json"
schedule = ["mon-fri 08:00-18:00"]
left_s = 30
shadow = 0.01
sinks = ["hook"]
[cameras.yard]
source = "synthetic://yard?seed=3"
seconds = 20
[sinks.hook]
url = "https://example.org/hook"
secret_file = "secret"
[profiles.home]
off = ["door/porch"]
[recordings]
limit_mb = 500
redact = "blur"
"""
METRES = {"schema": 1, **asdict(Metres((480, 640), 70.0, 2.5, 20.0, 0.0, 0.1, -1.0, 0.5))}
EVENT = {
    "id": "a", "incident": "b", "kind": "appeared", "camera": "door", "phase": "begin",
    "time": "2026-11-28T12:00:00+00:00", "source_time": 3.5, "box": [1, 2, 3, 4], "text": "x",
}  # fmt: skip
PARTS = st.text(max_size=12) | st.sampled_from(
    ["user", "p@ss/w#rd?", "10.0.0.7", "[::1]", "[", "host:99999", "host:x", "%", "%2", "%zz", "..",
     "\x00", "\n", " ", "seed=1", "seed=x", "live=2", "stream?user=a&password=b"]
)  # fmt: skip
SCHEMES = st.sampled_from([*NETWORK, "file", "csi", "v4l2", "synthetic", "ftp", "", "RTSP"])
ADDRESSES = st.builds(
    lambda scheme, mark, parts, between: scheme + mark + between.join(parts),
    SCHEMES,
    st.sampled_from(["://", "://", "://", ":/", ":", "//", ""]),
    st.lists(PARTS, max_size=4),
    st.sampled_from(["", ":", "@", "/", "?", "&", "#"]),
)
SITE = Site({"door": ()})


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "file"


def test_what_is_mutated_is_good(file: Path) -> None:
    file.write_text(json.dumps(ZONES))
    assert len(read_zones(file)) == 3
    file.write_text(CAMERAS)
    assert len(read_config(file).cameras) == 2
    file.write_text(json.dumps(METRES))
    assert read_metres(file).size == (480, 640)
    assert read_event(json.dumps(EVENT)).box == (1, 2, 3, 4)


@given(data=json_files(ZONES))
@examples(share=150, night=12_000)
def test_zones(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    zones = outcome(lambda: read_zones(file))
    if zones is not None:
        assert parse_zones(json.loads(json.dumps(as_json(zones)))) == zones
        for zone in zones:
            assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in zone.points)


@given(data=damaged(CAMERAS.encode()) | st.binary(max_size=40))
@examples(share=200, night=12_000)
def test_cameras(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    config = outcome(lambda: read_config(file))
    if config is not None:
        assert config.cameras and all(camera.source for camera in config.cameras)
        for camera in config.cameras:
            assert set(camera.sinks or ()) <= set(config.sinks)
            assert math.isfinite(camera.min_size) and not math.isnan(camera.left_s)


def toml(value: Any) -> str:
    """A value of JSON as TOML has it; what TOML lacks as JSON has it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(each)}" for key, each in value.items())\
            + "}"  # fmt: skip
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return json.dumps(value)


TABLES = {
    "cameras": {"door": {"source": "x.mp4", "seconds": 20, "left_s": 3, "stabilize": True,
                         "schedule": ["sun 01:00-02:00"], "sinks": ["hook"],
                         "shadow": 0.1, "min_size": 0.001}},
    "sinks": {"hook": {"url": "https://example.org", "ca": "x.pem"}},
    "profiles": {"home": {"off": ["door"]}},
    "recordings": {"clips": False, "limit_mb": 5, "redact": "blur"},
    "folder": "watch",
}  # fmt: skip


@given(value=documents(TABLES))
@examples(share=150, night=8_000)
def test_cameras_of_other_values(file: Path, value: Any) -> None:
    tables = value if isinstance(value, dict) else {"cameras": value}
    lines = [f"{json.dumps(key)} = {toml(each)}\n" for key, each in tables.items()]
    file.write_text("".join(lines), errors="surrogatepass")
    config = outcome(lambda: read_config(file))
    if config is not None:
        for camera in config.cameras:
            assert 0 <= camera.min_size <= 1 and camera.left_s >= 1
            assert type(camera.stabilize) is bool


@given(data=json_files(METRES))
@examples(share=100, night=6_000)
def test_metres(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    metres = outcome(lambda: read_metres(file))
    if metres is not None:
        near = metres.position((320.0, 470.0), 0.5)
        assert near is None or all(map(math.isfinite, near))


@given(
    text=st.text(max_size=24) | damaged(b"mon-fri 08:00-18:00").map(lambda d: d.decode("latin-1"))
)
@examples(share=80, night=3_000)
def test_hours(text: str) -> None:
    hours = outcome(lambda: parse_hours(text))
    if hours is not None:
        assert hours.days and 0 <= hours.begin < 1440 and 0 < hours.end <= 1440
        assert type(hours.include(1e9)) is bool


@given(url=ADDRESSES)
@examples(share=200, night=8_000)
def test_addresses(url: str) -> None:
    """Whatever is typed: nothing is sent anywhere before the address is checked."""
    assert isinstance(redact_address(url), str)
    outcome(lambda: check_address(url))
    scheme, mark, _ = url.partition("://")
    if mark and scheme.lower() in ("file", "ftp", ""):
        outcome(lambda: open_stored(url))
    if mark and scheme == "synthetic":
        outcome(lambda: open_rendered(url))
    if mark and scheme == "csi":
        outcome(lambda: open_csi(url))


@given(
    scheme=st.sampled_from(["rtsp", "rtsps", "http", "https", "mqtt", "udp"]),
    user=st.text("abcXYZ019", min_size=1, max_size=6),
    secret=st.text(
        st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=10
    ),
)  # fmt: skip
@examples(share=120, night=6_000)
def test_no_password_is_left_in_an_address(scheme: str, user: str, secret: str) -> None:
    password = f"Q{secret}Q"
    shown = redact_address(f"{scheme}://{user}:{password}@10.1.2.3/stream")
    assert password not in shown
    assert "*" in secret or f"{secret.rpartition('@')[2]}Q" not in shown.rpartition("@")[0]
    assert shown.endswith("10.1.2.3/stream")


@given(table=documents({"url": "mqtt://user:pw@host:1883/edge", "user": "a", "discovery": "ha"},
                       {"url": "https://user:pw@host/x", "secret": "whsec_" + "QUFB" * 8},
                       {"url": "mqtts://host/p", "ca": "/dev/null", "discovery": False})
       | st.builds(lambda url: {"url": url}, ADDRESSES))  # fmt: skip
@examples(share=120, night=5_000)
def test_sinks(table: Any) -> None:
    if not isinstance(table, dict):
        return
    scheme = str(table.get("url", "")).partition("://")[0]
    for names, opener in ((("mqtt", "mqtts"), open_mqtt), (("http", "https"), open_webhook)):
        if scheme in names:
            outcome(lambda opener=opener: opener(dict(table), SITE))


@given(body=json_files(EVENT))
@examples(share=80, night=4_000)
def test_a_spooled_event(body: bytes) -> None:
    """Not a file of a user: the spool skips what raises ValueError."""
    try:
        event = read_event(body.decode(errors="replace"))
    except ValueError:
        return
    assert json.loads(event.as_json())["schema"] == 1


@given(value=JSON)
@examples(share=40, night=1_000)
def test_zones_of_the_view(value: Any) -> None:
    outcome(lambda: parse_zones(value))
