"""`edge watch` as a user types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import jsonschema
import pytest
import typer.main

import edge as edge_package
from edge.calibrate.rendering.scene import RenderedScene
from edge.camera.source import Frame
from edge.cli.app import app
from edge.cli.opener import camera_opener
from edge.cli.watch import count_pulled, name_of
from edge.errors import EdgeError
from edge.events.schema import schema
from edge.runtime.handle import Outputs
from edge.samples.sample import Image
from edge.scene.background import Background
from edge.sinks.metrics import Metrics
from edge.watch.config import CameraConfig
from edge.watch.float_process import open_float
from edge.zones.file import read_zones, write_zones
from edge.zones.zone import Zone

from ..command import interruptible
from ..edge.sinks.broker import wait_for
from ..edge.sinks.test_metrics import parse

ENV = {**os.environ, "NO_COLOR": "1"}
ALL = Zone("all", "counted", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)), rule="any")


def edge(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=ENV, check=False)


@pytest.fixture
def build(builds: Callable[[str, str], Path]) -> Path:
    return builds("openvino", "fp32")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the background of two yards, and zones."""
    for seed in (0, 1):
        image = RenderedScene("yard", seed, (240, 320)).background().image
        cv2.imwrite(str(tmp_path / f"bg{seed}.png"), image)
    write_zones(tmp_path / "zones.json", [ALL])
    return tmp_path


def events_of(text: str) -> list[dict[str, Any]]:
    events = [json.loads(line) for line in text.splitlines()]
    for event in events:
        jsonschema.validate(event, schema())
    return events


def test_a_line_for_each_event_begun_and_ended(place: Path, build: Path) -> None:
    words = ["--build", build, "--bg", "bg0.png", "--zones", "zones.json", "--frames", 75]
    done = edge("watch", "synthetic://yard", *words, cwd=place)
    assert done.returncode == 0, done.stderr
    events = events_of(done.stdout)
    assert {"appeared", "zone_entered", "occupancy"} <= {event["kind"] for event in events}
    assert all(event["camera"] == "yard" and event["size"] == [240, 320] for event in events)
    assert len({event["id"] for event in events}) == len(events)
    begun = {event["incident"] for event in events if event["phase"] == "begin"}
    assert begun == {event["incident"] for event in events if event["phase"] == "end"}
    assert "75 frames" in done.stderr and "this machine takes about" in done.stderr
    assert not (place / "watch").exists()  # nothing was to be kept


CONFIG = """\
build = "{build}"
folder = "kept"

[cameras.front]
source = "synthetic://yard"
background = "bg0.png"
zones = "zones.json"

[cameras.back]
source = "synthetic://yard?seed=1"
background = "bg1.png"

[recordings]
redact = "fill"
"""


def test_the_cameras_of_a_file_and_what_is_kept(place: Path, build: Path) -> None:
    (place / "cameras.toml").write_text(CONFIG.format(build=build))
    done = edge("watch", "--config", "cameras.toml", "--frames", 75, cwd=place)
    assert done.returncode == 0, done.stderr
    events = events_of(done.stdout)
    assert {event["camera"] for event in events} == {"front", "back"}
    assert {event["camera"] for event in events if event["zone"]} == {"front"}
    pictured = [event for event in events if event["snapshot"]]
    assert pictured
    for event in pictured:
        assert cv2.imread(str(place / "kept" / "recordings" / event["snapshot"])) is not None
        assert (place / "kept" / "recordings" / event["clip"]).stat().st_size > 1000


def test_a_file_is_read_again_while_cameras_go_on(place: Path, build: Path) -> None:
    file = place / "cameras.toml"
    both = CONFIG.format(build=build)
    front = both[: both.index("[cameras.back]")]
    file.write_text(front)
    command = [sys.executable, "-m", "edge", "watch", "--config", str(file)]
    with interruptible():
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=place, env=ENV
        )
    seen: list[dict[str, Any]] = []
    notes: list[str] = []
    reader = threading.Thread(target=lambda: notes.extend(process.stderr or ()))
    reader.start()

    def read_until(what: Callable[[dict[str, Any]], bool]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            seen.append(json.loads(line))
            if what(seen[-1]):
                return
        raise AssertionError(notes)

    try:
        read_until(lambda event: event["kind"] == "appeared")
        file.write_text("colour = 5\n" + front)
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: "everything goes on as it was" in "".join(notes))
        file.write_text(both)
        process.send_signal(signal.SIGHUP)
        read_until(lambda event: event["camera"] == "back")
    finally:
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        # What the loop above has read ahead is in the stream, which `communicate` passes by.
        seen += events_of(process.stdout.read())
        reader.join()
    assert process.wait(60) == 130
    assert "line 1: key `colour`: unknown key" in "".join(notes)
    assert "2 cameras are watched as the file says now" in "".join(notes)
    # Numbers of tracks begin anew where a camera is opened anew.
    numbers = [e["track"] for e in seen if e["camera"] == "front" and e["kind"] == "appeared"]
    assert len(set(numbers)) == len(numbers)
    begun = {event["incident"] for event in seen if event["phase"] == "begin"}
    assert begun == {event["incident"] for event in seen if event["phase"] == "end"}


def test_a_shadow_counts_and_shows_what_it_compared(
    place: Path, builds: Callable[[str, str], Path], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Half of the frames are due, in the run and in what Prometheus is shown."""
    monkeypatch.chdir(place)
    metrics = Metrics()
    int8 = builds("onnxruntime", "int8")
    h = open_float(int8)

    def infer(camera: str, background: Background, image: Image) -> Outputs:
        edge_package.set_background(h, edge_package.fit(h, background.image))
        return edge_package.infer(h, image)

    floats: Any = SimpleNamespace(of=lambda build: SimpleNamespace(infer=infer))
    opener = camera_opener(lambda: int8, 1, floats=floats)
    camera = CameraConfig("yard", "synthetic://yard", place / "bg0.png", shadow=0.5)
    watched = opener(camera, threading.Event())
    watching = SimpleNamespace(watched={"yard": watched})
    for _ in range(40):
        frame = watched.channel.pipeline.camera.take()
        assert isinstance(frame, Frame) and watched.shadow is not None
        watched.channel.process(frame)
        if watched.shadow._pending is not None and not watched.shadow.compared:
            watched.shadow._pending.result(120)
        watched.shadow.take()
    watched.resources.close()
    compared, left_out = watched.shadow.compared, watched.shadow.left_out
    assert compared >= 1 and 19 <= compared + left_out <= 20  # one may be under way
    count_pulled(metrics, watching)  # type: ignore[arg-type]
    samples, yard = parse(metrics.text()), ("camera", "yard")
    assert samples["edge_int8_compared_total", (yard,)] == compared
    assert watched.shadow.drift is not None
    for output in ("mask", "depth"):
        value = getattr(watched.shadow.drift, output)
        assert samples["edge_int8_drift", (yard, ("output", output))] == pytest.approx(value)
    assert f"{compared} frames beside FP32" in capsys.readouterr().err


def test_ctrl_c_ends_the_making_of_a_background(place: Path, build: Path) -> None:
    """That of a day of an endless source: it would not end by itself."""
    source = ["synthetic://yard", "--seconds", "86400"]
    command = [sys.executable, "-m", "edge", "watch", *source, "--build", str(build)]
    with interruptible():
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=place, env=ENV)
    before = sorted(place.iterdir())
    try:
        assert process.stderr is not None
        assert "making a background" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == ""
        assert process.wait(60) == 130
    finally:
        process.kill()
    assert sorted(place.iterdir()) == before


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("synthetic://yard", "yard"),
        ("synthetic://yard?seed=2", "yard-seed-2"),
        ("clips/front door.mp4", "front-door"),
        ("rtsp://user:secret@10.0.0.2/stream", "10-0-0-2-stream"),
        ("http://host/cgi?channel=2&user=ann&password=secret", "host-cgi-channel-2-user-password"),
    ],
)
def test_names_of_sources(source: str, name: str) -> None:
    assert name_of(source) == name


def test_long_sources_have_names_of_their_own() -> None:
    names = {name_of(f"http://host/{'a' * 60}?channel={number}") for number in range(9)}
    assert len(names) == 9 and {len(name) for name in names} == {40}


def refused(*words: object) -> str:
    """The sentence by which the command ends; in this process, because there are many of them."""
    with pytest.raises(EdgeError) as caught:
        typer.main.get_command(app).main(["watch", *map(str, words)], standalone_mode=False)
    assert caught.value.exit_code in (1, 2)
    return str(caught.value)


def test_what_is_wrong_is_told_before_anything_starts(
    place: Path, build: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    (place / "wrong.json").write_text('{"schema": 1, "zones": [{"name": "door", "kind": "x"}]}')
    source = "synthetic://yard"
    cases: list[tuple[list[object], str]] = [
        ([], "no source and no --config"),
        ([source, "--config", "a.toml"], "sources beside --config"),
        (["--config", "none.toml"], "cannot read none.toml"),
        ([source, source, "--zones", "zones.json"], "1 --zones for 2 sources, expected one each"),
        ([source, "--zones", "wrong.json"], "wrong.json: zone `door`: key `points` is missing"),
        ([source, "--zones", "none.json"], "cannot read none.json"),
        ([source, "--zones", "no dir/z.json", "--view"], "there is no folder no dir; mkdir -p 'no"),
        ([source, "--bg", "bg0.png", "--seconds", 5], "--seconds has no effect with --bg"),
        ([source, "--redact", "fill"], "--redact has no effect without --record"),
        ([source, "--record", "--redact", "hide"], "--redact hide: expected blur or fill"),
        ([source, "--classify", "none.onnx"], "cannot read none.onnx"),
        ([source, "--view", ":8700"], "--view :8700: others can reach this address, expected a"),
        ([source, "--view-token", "x" * 20], "--view-token has no effect without --view"),
        ([source, "--zones", "new.json", "--classify", "none.onnx", "--view"], "none.onnx"),
        ([source, "--metres", "new.m.json"], "new.m.json cannot be read"),
        ([source, "--metres", "new.m.json", "--classify", "none.onnx", "--view"], "none.onnx"),
        ([source, "--shadow", 0.1, "--build", build], "is fp32; a shadow compares an int8 build"),
        (["none.avi"], "none.avi"),
        (["--config", "a.toml", "--zones", "zones.json"], "--zones has no effect with --config"),
    ]
    (place / "a.toml").write_text(CONFIG.format(build=build))
    for words, text in cases:
        assert text in refused(*words)
    assert read_zones(place / "new.json") == []  # to be drawn
    assert not (place / "no dir").exists()
    for before, after, text in (
        ('"zones.json"', '"wrong.json"', "line 7: key `cameras.front.zones`: wrong.json: zone"),
        ('"bg1.png"', '"none.png"', "a.toml: line 11: key `cameras.back.background`: "),
        ("synthetic://yard?", "what://yard?", "a.toml: line 10: key `cameras.back.source`: what:"),
        ("[recordings]", "[profiles.home]\noff = ['front/al']\n[recordings]",
         "a.toml: line 14: key `profiles.home.off`: camera `front` has no zone `al`; zones: all"),
        ("[recordings]", "[profiles.home]\noff = ['back/']\n[recordings]",
         "a.toml: line 14: key `profiles.home.off`: camera `back` has no zone ``; zones: none"),
        ("[recordings]", "[sinks.a]\nurl = 'pigeon://a'\n[recordings]",
         "a.toml: line 13: key `sinks.a`: pigeon://...: unknown kind of sink"),
    ):  # fmt: skip
        (place / "a.toml").write_text(CONFIG.format(build=build).replace(before, after))
        assert text in refused("--config", "a.toml")
    assert not capsys.readouterr().out
    done = edge("watch", "--config", "a.toml", cwd=place)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: a.toml: line 13: key `sinks.a`: ")


@pytest.mark.parametrize(
    ("sink", "text"),
    [
        ("pigeon://a", "sink `sink1`: pigeon://...: unknown kind of sink; known: "),
        ("mqtt://", "sink `sink1`: mqtt:// is not an address; expected mqtt://HOST:PORT/PREFIX"),
        ("mqtt://host:port/edge", "is not an address; expected mqtt://HOST:PORT/PREFIX"),
        ("https://:443/hook", "the address of a webhook at https:// cannot be read"),
        ("mqtt://host", "paho"),
    ],
)
def test_a_wrong_sink_is_refused_before_anything_is_built(
    sink: str, text: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def built() -> Path:
        raise AssertionError("something is built")

    monkeypatch.chdir(place)
    monkeypatch.setattr("edge.cli.watch.default_build", built)
    for name in [name for name in sys.modules if name.split(".")[0] == "paho"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "paho", None)
    assert text in refused("synthetic://yard", "--sink", sink)
    with pytest.raises(AssertionError, match="something is built"):
        refused("synthetic://yard", "--sink", "http://127.0.0.1:1/")


def test_a_background_of_another_size_ends_with_a_sentence(place: Path, build: Path) -> None:
    cv2.imwrite(str(place / "small.png"), cv2.imread(str(place / "bg0.png"))[:100])
    done = edge("watch", "synthetic://yard", "--bg", "small.png", "--build", build, cwd=place)
    assert (done.returncode, done.stdout) == (1, "")
    assert "gives 320x240, its background is 320x100" in done.stderr


def test_the_reader_of_stdout_may_go(place: Path, build: Path) -> None:
    words = ["watch", "synthetic://yard", "--build", str(build), "--bg", "bg0.png"]
    command = f"{sys.executable} -m edge {' '.join(words)} | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, cwd=place,
        env=ENV, check=False,
    )  # fmt: skip
    assert done.returncode == 141
    assert len(done.stdout.splitlines()) == 1 and "Traceback" not in done.stderr
