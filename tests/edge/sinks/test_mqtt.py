"""MQTT, with a real mosquitto on loopback that is killed and brought back."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.errors import EdgeError, UsageError
from edge.sinks import mqtt as mqtts
from edge.sinks.discovery import slug
from edge.sinks.outbox import Outbox
from edge.sinks.sink import SINKS, SinkError, Site, Switch, open_sink
from edge.zones.zone import COUNTED, IGNORED, LINE, RESTRICTED, Zone

from .broker import Listener, Mosquitto, free_port, retained, wait_for
from .events import event
from .test_outbox import send_and_kill

pytest.importorskip("paho", reason="no paho-mqtt: pip install -c constraints.txt '.[mqtt]'")

SQUARE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
CAMERAS = {
    "door": (
        Zone("mat", RESTRICTED, SQUARE),
        Zone("steps", COUNTED, SQUARE),
        Zone("tree", IGNORED, SQUARE),
        Zone("kerb", LINE, SQUARE[:2]),
    ),
    "back yard": (),
}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    folder = tmp_path / "broker"
    folder.mkdir()
    with Mosquitto(folder) as running:
        yield running


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(mqtts, "note", lines.append)
    return lines


@pytest.fixture
def opened(broker: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    sinks = []
    monkeypatch.setattr(mqtts, "LONGEST_RECONNECT_S", 1)

    def sink(site: Site | None = None, prefix: str = "site", **table: Any) -> Any:
        url = f"mqtt://127.0.0.1:{broker.port}/{prefix}"
        sinks.append(open_sink({"url": url, **table}, site or Site(CAMERAS)))
        wait_for(lambda: sinks[-1]._connected)
        return sinks[-1]

    yield sink
    for each in sinks:
        each.close()


def begin(incident: str, kind: str, **given: Any) -> Any:
    return event(incident=incident, kind=kind, phase="begin", **given)


def end(incident: str, kind: str, **given: Any) -> Any:
    return event(incident=incident, kind=kind, phase="end", **given)


def test_events_arrive_as_json_and_are_not_retained(
    broker: Mosquitto, opened: Callable[..., Any]
) -> None:
    given = event(text="Tür", zone="kerb")
    with Listener(broker.port) as listener:
        opened().send(given)
        wait_for(lambda: listener.of("/events"))
        assert [m for m in listener.messages if m[0] == "site/door/events"] == [
            ("site/door/events", given.as_json(), False)
        ]
    assert "site/door/events" not in retained(broker.port)


def test_states_are_retained_and_follow_the_events(
    broker: Mosquitto, opened: Callable[..., Any]
) -> None:
    sink = opened()
    with Listener(broker.port) as listener:

        def becomes(**expected: str) -> None:
            for topic, value in expected.items():
                place = f"site/door/{topic.replace('__', '/')}"
                wait_for(lambda place=place, value=value: listener.last(place) == value)

        becomes(occupancy="OFF", count="0", mat__occupancy="OFF", problem="OFF")
        sink.observe(begin("1", "appeared", track=1))
        sink.observe(begin("2", "zone_entered", track=1, zone="mat"))
        sink.observe(begin("3", "zone_entered", track=2, zone="mat"))
        becomes(occupancy="ON", count="1", mat__occupancy="ON", mat__count="2")
        sink.observe(end("2", "zone_left", track=1, zone="mat"))
        becomes(mat__occupancy="ON", mat__count="1", steps__occupancy="OFF")
        sink.observe(begin("4", "covered"))
        sink.observe(begin("5", "lost"))
        becomes(problem="ON", availability="offline")
        sink.observe(end("4", "covered"))
        sink.observe(end("5", "back"))
        becomes(problem="OFF", availability="online")
        # A line crossed is no state.
        sink.observe(event(zone="kerb"))
        kept = retained(broker.port, "site/#")
    assert kept["site/door/mat/count"] == "1"
    assert kept["site/availability"] == "online"
    assert kept["site/back yard/occupancy"] == "OFF"
    assert not [topic for topic in kept if "/tree/" in topic or "/kerb/" in topic]


def test_the_last_will_says_offline_and_a_goodbye_too(
    broker: Mosquitto, opened: Callable[..., Any]
) -> None:
    with Listener(broker.port, "site/availability") as listener:
        opened().close()
        wait_for(lambda: listener.last("site/availability") == "offline")
        # A program that dies says nothing: its connection breaks.
        sink = opened()
        wait_for(lambda: listener.last("site/availability") == "online")
        sink._client._sock.shutdown(2)
        wait_for(lambda: listener.of("availability")[-2:] == ["offline", "online"])


def test_a_broker_that_is_killed_and_comes_back_loses_and_doubles_nothing(
    broker: Mosquitto, opened: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events flow, the broker is killed three times, and is away until this is told."""
    monkeypatch.setattr(mqtts, "ANSWER_S", 0.5)
    said: list[str] = []
    sink = opened()
    received: list[str] = []
    outbox = Outbox(tmp_path / "spool", [sink], say=said.append, first_wait_s=0.05)
    sent = []
    with Listener(broker.port, "site/door/events") as listener:
        for _ in range(3):
            for _ in range(15):
                sent.append(event())
                outbox.put(sent[-1])
                time.sleep(0.005)
            broker.kill()
            for _ in range(5):
                sent.append(event())
                outbox.put(sent[-1])
            wait_for(lambda: outbox.spool.waiting()["mqtt"] >= 5)
            wait_for(lambda: bool(said) and said[-1].endswith("events wait until it takes them"))
            broker.start()
            wait_for(lambda: not outbox.spool.waiting()["mqtt"])
            wait_for(lambda: listener.client.is_connected())
            assert said[-1] == "mqtt takes events again"
        wait_for(lambda: len(set(listener.of("/events"))) == len(sent), 20)
        received = [json.loads(payload)["id"] for payload in listener.of("/events")]
    outbox.close()
    assert list(dict.fromkeys(received)) == [each.id for each in sent]
    # A kill between taking and acknowledging can double the one event that was under way.
    assert len(received) - len(sent) <= 3


def test_a_broker_that_hangs_and_dies_gets_what_it_did_not_acknowledge(
    broker: Mosquitto, opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtts, "ANSWER_S", 0.3)
    sink, given = opened(), event()
    broker.hang()
    for _ in range(2):  # the second waits for the same message
        with pytest.raises(SinkError, match="acknowledges nothing"):
            sink.send(given)
    for number in range(600):  # more messages than wait for a broker
        sink.observe(begin(f"i{number}", "appeared"))
        sink.observe(begin(f"z{number}", "zone_entered", zone="mat"))
    broker.kill()
    wait_for(lambda: not sink._connected)
    broker.start()
    monkeypatch.setattr(mqtts, "ANSWER_S", 60)
    with Listener(broker.port, "site/#") as listener:
        sink.send(given)
        wait_for(lambda: listener.of("/events"))
        wait_for(lambda: listener.last("site/door/count") == "600")
        assert listener.of("/events") == [given.as_json()]


def test_states_of_an_outage_are_told_as_they_are_after_it(
    broker: Mosquitto, opened: Callable[..., Any]
) -> None:
    sink = opened()
    sink.observe(begin("1", "zone_entered", zone="mat"))
    wait_for(lambda: retained(broker.port, "site/#").get("site/door/mat/occupancy") == "ON")
    broker.kill()
    wait_for(lambda: not sink._connected)
    sink.observe(end("1", "zone_left", zone="mat"))
    sink.observe(begin("2", "zone_entered", zone="steps"))
    broker.start()
    wait_for(lambda: retained(broker.port, "site/#").get("site/door/steps/occupancy") == "ON")
    kept = retained(broker.port, "site/#")
    assert kept["site/door/mat/occupancy"] == "OFF"
    assert kept["site/availability"] == "online"


def test_a_sender_killed_at_any_point_loses_nothing(broker: Mosquitto, tmp_path: Path) -> None:
    seeds = 6
    with Listener(broker.port, "site/+/events") as listener:
        stored = send_and_kill(tmp_path, f"mqtt://127.0.0.1:{broker.port}/site", seeds)
        listener.settle()  # the last sender ended when the broker had everything
        received = [json.loads(payload)["id"] for payload in listener.of("/events")]
    assert len(stored) > 20
    assert not set(stored) - set(received)
    assert len(received) - len(set(received)) <= seeds
    known = [identity for identity in dict.fromkeys(received) if identity in set(stored)]
    assert known == stored


def test_home_assistant_is_told_of_everything_and_of_nothing_that_is_gone(
    broker: Mosquitto, opened: Callable[..., Any], tmp_path: Path
) -> None:
    site = Site(CAMERAS, ("day", "night"), lambda switch: None, tmp_path)
    sink = opened(site, prefix="house/site")
    places = [["door"], ["door", "mat"], ["door", "steps"], [slug("back yard")]]
    expected = {f"binary_sensor/{'-'.join(place)}-occupancy" for place in places}
    expected |= {f"sensor/{'-'.join(place)}-count" for place in places}
    expected |= {f"switch/door-zone-{zone.name}" for zone in CAMERAS["door"]} | {"select/profile"}
    for camera in ("door", slug("back yard")):
        expected |= {f"binary_sensor/{camera}-problem", f"image/{camera}-snapshot"}
        expected.add(f"button/{camera}-background-confirm")

    def complete() -> dict[str, Any]:
        kept = retained(broker.port, "homeassistant/#")
        return kept if len(kept) == len(expected) else {}

    found = {topic: json.loads(payload) for topic, payload in wait_for(complete).items()}
    assert {
        re.fullmatch(r"homeassistant/(\w+)/house_site/([\w-]+)/config", topic).expand(r"\1/\2")  # type: ignore[union-attr]
        for topic in found
    } == expected
    assert len({config["unique_id"] for config in found.values()}) == len(found)
    # Every topic that Home Assistant reads has a value from the start.
    read = {config["state_topic"] for config in found.values() if "state_topic" in config}
    read |= {place["topic"] for config in found.values() for place in config["availability"]}
    wait_for(lambda: read <= retained(broker.port, "house/#").keys())
    assert all(config["device"]["identifiers"] for config in found.values())
    sink.close()
    fewer = {"door": CAMERAS["door"][:1]}
    opened(Site(fewer, (), lambda switch: None), prefix="house/site")
    wait_for(lambda: len(retained(broker.port, "homeassistant/#")) == 7)
    left = retained(broker.port, "homeassistant/#")
    assert all("/door" in topic for topic in left)
    assert not [topic for topic in left if "steps" in topic or "snapshot" in topic]


def test_two_programs_at_one_broker_leave_each_others_entities(
    broker: Mosquitto, opened: Callable[..., Any]
) -> None:
    opened(Site({"x": ()}), prefix="one")
    wait_for(lambda: len(retained(broker.port, "homeassistant/#")) == 3)
    before = retained(broker.port, "homeassistant/#")
    opened(Site({"x": ()}), prefix="two")
    wait_for(lambda: len(retained(broker.port, "homeassistant/#")) == 6)
    assert before.items() <= retained(broker.port, "homeassistant/#").items()


def test_two_programs_of_one_prefix_are_told(opened: Callable[..., Any], said: list[str]) -> None:
    opened()
    opened()
    wait_for(lambda: said)
    assert "another program uses the prefix site" in said[0]


def test_without_discovery(broker: Mosquitto, opened: Callable[..., Any]) -> None:
    opened(discovery=False)
    wait_for(lambda: "site/back yard/count" in retained(broker.port, "site/#"))  # comes after it
    assert retained(broker.port, "homeassistant/#") == {}


def test_switches_reach_the_program_and_what_is_wrong_is_told(
    broker: Mosquitto, opened: Callable[..., Any], said: list[str]
) -> None:
    turned: list[Switch] = []

    def switch(given: Switch) -> None:
        if given.zone == "steps":
            raise EdgeError("steps must stay on")
        turned.append(given)

    opened(Site(CAMERAS, ("day", "night"), switch))
    with Listener(broker.port, "site/#") as listener:
        wait_for(lambda: listener.last("site/profile/state") == "day")
        listener.client.publish("site/door/zone/mat/set", "OFF", 1)
        wait_for(lambda: listener.last("site/door/zone/mat/state") == "OFF")
        listener.client.publish("site/profile/set", "night", 1)
        wait_for(lambda: listener.last("site/profile/state") == "night")
        assert turned == [Switch("door", "mat", "OFF"), Switch(None, None, "night")]
        listener.client.publish("site/back yard/background/set", "CONFIRM", 1)
        wait_for(lambda: turned[2:] == [Switch("back yard", None, "CONFIRM")])
        before = len(listener.of("steps/state"))
        for topic, payload in [
            ("site/door/zone/steps/set", "OFF"),
            ("site/door/zone/mat/set", "off"),
            ("site/door/zone/mat/set", b"\xff\xfe" * 5000),
            ("site/door/zone/nowhere/set", "OFF"),
            ("site/nobody/zone/mat/set", "OFF"),
            ("site/profile/set", "party"),
            ("site/nobody/background/set", "CONFIRM"),
            ("site/door/background/set", "ON"),
        ]:
            listener.client.publish(topic, payload, 1)
        wait_for(lambda: len(said) == 8)
        assert "steps must stay on" in said[0]
        assert all(len(line) < 400 for line in said)
        # The switch in the app springs back.
        wait_for(lambda: len(listener.of("steps/state")) > before)
        assert listener.last("site/door/zone/steps/state") == "ON"
        assert len(turned) == 3
        assert listener.last("site/profile/state") == "night"


def test_a_fault_of_the_program_does_not_end_the_connection(
    broker: Mosquitto, opened: Callable[..., Any], said: list[str]
) -> None:
    def switch(given: Switch) -> None:
        raise ZeroDivisionError

    sink = opened(Site(CAMERAS, (), switch))
    with Listener(broker.port, "site/#") as listener:
        wait_for(lambda: listener.last("site/door/zone/mat/state"))
        listener.client.publish("site/door/zone/mat/set", "OFF", 1)
        wait_for(lambda: said)
        sink.send(event())
        wait_for(lambda: listener.of("/events"))
    assert "ZeroDivisionError" in said[0]


def test_the_last_snapshot_is_an_image(
    broker: Mosquitto, opened: Callable[..., Any], tmp_path: Path
) -> None:
    sink = opened(Site(CAMERAS, recordings=tmp_path))
    old, new = event(snapshot="1.jpg"), event(snapshot="2.jpg")
    (tmp_path / "1.jpg").write_bytes(b"one")
    (tmp_path / "2.jpg").write_bytes(b"two")
    sink.observe(old)
    sink.observe(new)
    sink.send(old)  # an hour late: not an image of now
    sink.send(new)
    wait_for(lambda: retained(broker.port, "site/#").get("site/door/snapshot") == "two")


def told(sink: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait until a sink knows why it cannot connect; from now on it is not waited for."""
    wait_for(lambda: not sink._why.startswith("no answer"))
    monkeypatch.setattr(mqtts, "ANSWER_S", 0.1)


def test_user_and_password(tmp_path: Path, said: list[str], monkeypatch: Any) -> None:
    passwords, port = tmp_path / "passwords", free_port()
    subprocess.run(["mosquitto_passwd", "-c", "-b", str(passwords), "watch", "pa/ss"], check=True)
    acl = tmp_path / "acl"
    acl.write_text("user watch\ntopic readwrite site/#\ntopic deny site/secret/#\n")
    lines = (f"listener {port} 127.0.0.1", "allow_anonymous false",
             f"password_file {passwords}", f"acl_file {acl}")  # fmt: skip
    file = tmp_path / "file"
    file.write_text("pa/ss\n")
    with Mosquitto(tmp_path, *lines, port=port):
        url = f"mqtt://watch:wrong@127.0.0.1:{port}/site"
        wrong: Any = open_sink({"url": url}, Site(CAMERAS))
        told(wrong, monkeypatch)
        with pytest.raises(SinkError, match="refuses the connection") as caught:
            wrong.send(event())
        assert "wrong" not in str(caught.value)
        wrong.close()
        monkeypatch.setattr(mqtts, "ANSWER_S", 60)
        table = {"url": f"mqtt://127.0.0.1:{port}/site", "user": "watch"}
        right: Any = open_sink({**table, "password_file": str(file)}, Site(CAMERAS))
        right.send(event())
        with pytest.raises(SinkError, match="refuses events: Not authorized"):
            right.send(event(camera="secret"))
        assert "pa/ss" not in repr(vars(right))
        right.close()


def test_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key, port = tmp_path / "certificate.pem", tmp_path / "key.pem", free_port()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    lines = (f"listener {port} 127.0.0.1", "allow_anonymous true",
             f"certfile {certificate}", f"keyfile {key}")  # fmt: skip
    with Mosquitto(tmp_path, *lines, port=port):
        stranger: Any = open_sink({"url": f"mqtts://localhost:{port}"}, Site())
        told(stranger, monkeypatch)
        with pytest.raises(SinkError, match="certificate verify failed"):
            stranger.send(event())
        stranger.close()
        monkeypatch.setattr(mqtts, "ANSWER_S", 60)
        friend = open_sink({"url": f"mqtts://localhost:{port}", "ca": str(certificate)}, Site())
        friend.send(event())
        friend.close()


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    sink: Any = open_sink({"url": f"mqtt://127.0.0.1:{port}"}, Site())
    told(sink, monkeypatch)
    with pytest.raises(SinkError, match=f"cannot connect to 127.0.0.1:{port}: Connection refused"):
        sink.send(event())
    start = time.monotonic()
    sink.close()
    assert time.monotonic() - start < 30


@pytest.mark.parametrize(
    ("url", "table"),
    [
        ("mqtt://", {}),
        ("mqtt://user:pa/ss@host/edge", {}),
        ("mqtt://user:12/pass@host/edge", {}),
        ("mqtt://host:port", {}),
        ("mqtt://host/a/+/b", {}),
        ("mqtt://host/a%23", {}),
        ("mqtt://host?x=1", {}),
        ("mqtt://host", {"password": "pass"}),
        ("mqtt://user:pa%2Fss@host", {"password": "pa/ss"}),
        ("mqtt://user:pa%2Fss@host", {"password_file": "/nowhere/secret"}),
        ("mqtt://user:pa%2Fss@host", {"user": "somebody"}),
        ("mqtt://host", {"ca": "x.pem"}),
        ("mqtts://host", {"ca": "/nowhere/x.pem"}),
        ("mqtt://host", {"topic": "x"}),
        ("mqtt://host", {"discovery": 3}),
        ("amqp://user:pass@host", {}),
    ],
)
def test_what_cannot_be_right_is_refused_without_its_secret(
    url: str, table: dict[str, Any]
) -> None:
    with pytest.raises(UsageError) as caught:
        open_sink({"url": url, **table}, Site())
    assert "pa/ss" not in str(caught.value)
    assert "user:" not in str(caught.value)


@pytest.mark.parametrize("name", ["a/b", "a+", "#", ""])
def test_names_that_cannot_be_part_of_a_topic_are_refused(name: str) -> None:
    for cameras in ({name: ()}, {"door": (Zone(name, COUNTED, SQUARE),)}):
        with pytest.raises(UsageError, match="topic"):
            open_sink({"url": "mqtt://host"}, Site(cameras))


def test_a_missing_paho_gives_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in [name for name in sys.modules if name.split(".")[0] == "paho"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "paho", None)
    assert SINKS
    with pytest.raises(EdgeError, match=r"'\.\[mqtt\]'"):
        open_sink({"url": "mqtt://host"}, Site())
