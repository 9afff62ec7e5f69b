"""What `edge watch` prints, sends and records, wired together."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.errors import EdgeError, UsageError
from edge.sinks.metrics import Metrics
from edge.watch.config import CameraConfig, Recordings, WatchConfig
from edge.watch.outputs import StandardOutputs
from edge.zones.zone import COUNTED, Zone

from ..sinks.broker import Listener, Mosquitto, retained, wait_for
from ..sinks.events import event
from ..sinks.receiver import Receiver, listening
from ..sinks.results import result
from ..sinks.test_metrics import parse

MAT = Zone("mat", COUNTED, ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))
STEPS = replace(MAT, name="steps")


class Board:
    """Keeps what was switched."""

    def __init__(self) -> None:
        self.switched: list[tuple[Any, ...]] = []

    def switch(self, camera: str, zone: str | None, on: bool) -> None:
        self.switched.append((camera, zone, on))

    def choose(self, profile: str) -> None:
        self.switched.append((profile,))

    def confirm(self, camera: str) -> None:
        self.switched.append((camera, "confirmed"))


@pytest.fixture
def outputs() -> Iterator[Callable[..., StandardOutputs]]:
    made = []

    def make(metrics: Metrics | None = None) -> StandardOutputs:
        made.append(StandardOutputs(metrics))
        return made[-1]

    yield make
    for each in made:
        each.close()


def config(folder: Path, sinks: dict[str, str] | None = None, **given: Any) -> WatchConfig:
    cameras = (CameraConfig("door", "x"), CameraConfig("yard", "y", sinks=()))
    tables = {name: {"url": url} for name, url in (sinks or {}).items()}
    return WatchConfig(cameras, tables, folder=folder, **given)


def test_an_event_is_printed_sent_recorded_and_counted(
    outputs: Callable[..., StandardOutputs], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver, metrics = Receiver(), Metrics()
    with listening(receiver) as port:
        out = outputs(metrics)
        chosen = config(
            tmp_path, {"hook": f"http://127.0.0.1:{port}/"}, recordings=Recordings(redact="fill")
        )
        out.configure(chosen, {"door": (MAT,), "yard": ()}, Board())
        out.put(event(camera="yard"))  # a camera that has no sink
        for number in range(30):
            made = [event(id="e-begin")] if number == 15 else []
            for each in out.frame("door", False, result(number, number / 5), made):
                out.put(each)
        wait_for(lambda: receiver.taken)
        wait_for(lambda: not out._outbox.spool.waiting()["hook"])  # type: ignore[union-attr]
        samples = parse(metrics.text())
        out.close()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["camera"] for line in lines] == ["yard", "door"]
    assert receiver.taken == ["e-begin"]
    assert json.loads(receiver.requests[0][2]) == lines[1]
    for key in ("snapshot", "clip"):
        assert (tmp_path / "recordings" / lines[1][key]).stat().st_size > 500
    door = ("camera", "door")
    assert samples["edge_frames_total", (door,)] == 30
    crossed = (door, ("kind", "line_crossed"), ("phase", "once"))
    assert samples["edge_events_total", crossed] == 1
    assert samples["edge_spool_events", (("sink", "hook"),)] == 0
    assert samples["edge_recordings_dropped_total", (("kind", "frames"),)] == 0


def test_a_new_configuration_keeps_what_goes_on_and_what_is_switched_off(
    outputs: Callable[..., StandardOutputs], tmp_path: Path
) -> None:
    pytest.importorskip("paho")
    (tmp_path / "broker").mkdir()
    board, out = Board(), outputs()
    with Mosquitto(tmp_path / "broker") as broker:
        sinks = {"broker": f"mqtt://127.0.0.1:{broker.port}/site"}
        profiles = {"home": ("yard",), "away": ()}
        chosen = config(tmp_path, sinks, profiles=profiles)
        out.configure(chosen, {"door": (MAT,), "yard": ()}, board)
        out.put(event(incident="i", kind="zone_entered", phase="begin", zone="mat"))
        with Listener(broker.port, "site/#") as listener:
            wait_for(lambda: listener.last("site/door/mat/occupancy") == "ON")
            wait_for(lambda: listener.last("site/profile/state") == "home")
            listener.client.publish("site/door/zone/mat/set", "OFF", 1)
            listener.client.publish("site/profile/set", "away", 1)
            wait_for(lambda: listener.last("site/profile/state") == "away")
            assert board.switched == [("door", "mat", False), ("away",)]
            listener.messages.clear()
            out.configure(chosen, {"door": (MAT, STEPS), "yard": ()}, board)
            wait_for(lambda: listener.last("site/door/steps/occupancy") == "OFF")
            wait_for(lambda: listener.last("site/door/zone/steps/state") == "ON")
            assert "OFF" not in listener.of("mat/occupancy")
        kept = retained(broker.port, "site/#")
        assert kept["site/door/mat/occupancy"] == "ON"
        assert kept["site/door/zone/mat/state"] == "OFF"
        assert kept["site/availability"] == "online"
        assert kept["site/profile/state"] == "away"
        out.close()


def test_other_zones_and_sinks_leave_a_connection_as_it_is(
    outputs: Callable[..., StandardOutputs], tmp_path: Path
) -> None:
    """A zone comes and another goes, a webhook changes and goes: the broker sees one connection."""
    pytest.importorskip("paho")
    (tmp_path / "broker").mkdir()
    out = outputs()
    with Mosquitto(tmp_path / "broker") as broker, listening(Receiver()) as port:
        url = f"mqtt://127.0.0.1:{broker.port}/site"
        hook = f"http://127.0.0.1:{port}/"
        out.configure(config(tmp_path, {"broker": url}), {"door": (MAT,), "yard": ()}, Board())
        assert out._outbox is not None
        (sink,), outbox = out._outbox.sinks, out._outbox
        out.put(event(incident="i", kind="zone_entered", phase="begin", zone="mat"))
        with Listener(broker.port) as listener:
            wait_for(lambda: listener.last("site/door/mat/occupancy") == "ON")
            out.configure(
                config(tmp_path, {"broker": url}), {"door": (STEPS,), "yard": ()}, Board()
            )
            switch = "homeassistant/switch/site/door-zone-{}/config"
            wait_for(lambda: listener.last(switch.format("steps")))
            wait_for(lambda: listener.last("site/door/zone/steps/state") == "ON")
            # What is gone is taken back, the states it left at the broker too.
            wait_for(lambda: listener.last(switch.format("mat")) == "")
            wait_for(lambda: listener.last("site/door/mat/occupancy") == "")
            listener.client.publish("site/door/zone/steps/set", "OFF", 1)
            wait_for(lambda: listener.last("site/door/zone/steps/state") == "OFF")
            zones = {"door": (STEPS,), "yard": ()}
            for tables in (
                {"broker": url, "hook": hook}, {"broker": url, "hook": f"{hook}?a"},
                {"broker": url},
            ):  # fmt: skip
                out.configure(config(tmp_path, tables), zones, Board())
                assert out._outbox is outbox
                assert [each.name for each in outbox.sinks] == list(tables)
                assert outbox.sinks[0] is sink
            with pytest.raises(UsageError, match="unknown kind of sink"):
                wrong = config(tmp_path, {"broker": url, "bad": "gopher://host"})
                out.configure(wrong, zones, Board())
            assert out._outbox is outbox and outbox.sinks == [sink]
            assert "offline" not in listener.of("site/availability")
            out.put(event(id="last"))
            wait_for(lambda: any('"last"' in text for text in listener.of("door/events")))
        assert sink._session == 1  # type: ignore[attr-defined]
        out.close()


def test_a_changed_sink_goes_on_where_the_former_ended(
    outputs: Callable[..., StandardOutputs], tmp_path: Path
) -> None:
    receiver, out = Receiver(), outputs()
    zones = {"door": (), "yard": ()}
    with listening(receiver) as port:
        out.configure(config(tmp_path, {"hook": "http://127.0.0.1:1/"}), zones, Board())
        out.put(event(id="waits"))
        out.configure(config(tmp_path, {"hook": f"http://127.0.0.1:{port}/"}), zones, Board())
        wait_for(lambda: receiver.taken == ["waits"])
        out.close()


def test_a_sink_with_a_name_of_its_own_gets_its_cameras(
    outputs: Callable[..., StandardOutputs], tmp_path: Path
) -> None:
    receiver, out = Receiver(), outputs()
    with listening(receiver) as port:
        chosen = config(tmp_path, {"hook": ""})
        table = {"url": f"http://127.0.0.1:{port}/", "name": "office"}
        out.configure(replace(chosen, sinks={"hook": table}), {"door": (), "yard": ()}, Board())
        out.put(event(id="of-yard", camera="yard"))
        out.put(event(id="of-door", camera="door"))
        wait_for(lambda: receiver.taken)
        out.close()
    assert receiver.taken == ["of-door"]


def test_a_wrong_sink_is_refused_and_the_former_goes_on(
    outputs: Callable[..., StandardOutputs], tmp_path: Path
) -> None:
    receiver, out = Receiver(), outputs()
    with listening(receiver) as port:
        zones = {"door": (), "yard": ()}
        good = config(tmp_path, {"hook": f"http://127.0.0.1:{port}/"})
        out.configure(good, zones, Board())
        with pytest.raises(UsageError, match=r"sink `bad`: gopher://\.\.\.: unknown kind"):
            out.configure(config(tmp_path, {"bad": "gopher://host"}), zones, Board())
        out.put(event(id="still"))
        wait_for(lambda: receiver.taken == ["still"])
        out.close()


def test_a_folder_of_another_process_is_refused(
    outputs: Callable[..., StandardOutputs], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgeError, match="cannot write"):
        outputs().configure(
            config(tmp_path / "file", {"hook": "http://127.0.0.1:1/"}), {"door": ()}, Board()
        )
