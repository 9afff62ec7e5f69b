"""Several cameras: opened beside the loop, reread without losing tracks, none starves another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edge.camera.source import CameraError, CameraEvent, Frame
from edge.errors import EdgeError, UsageError
from edge.events.event import Event
from edge.loop.channel import Channel
from edge.loop.pipeline import FrameResult
from edge.progress import note
from edge.watch import watch as module
from edge.watch import watcher
from edge.watch.config import CameraConfig, WatchConfig
from edge.watch.watch import Watch, Watched, settings_of, zones_of
from edge.zones.file import ZonesFile, write_zones
from edge.zones.zone import Zone

from ..sinks.broker import wait_for
from ..zones.tracks import track
from .scripted import Scripted, short

ALL = Zone("all", "restricted", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)), inertia_frames=1,
           inertia_s=0.0)  # fmt: skip


class FakeCamera:
    """Gives empty frames until it is told to end; a recording of `frames` frames."""

    live, fps, timed, cut_off, unreadable, dropped = False, 10.0, True, False, 0, 0

    def __init__(self, name: str, image: Any, frames: int | None) -> None:
        self.name, self._image, self._frames = name, image, frames
        self.ended, self.closed, self.number = False, 0, 0

    def take(self) -> Frame | None:
        if self._frames is not None and self.number >= self._frames:
            self.ended = True
            return None
        self.number += 1
        return Frame(self._image, self.number - 1, (self.number - 1) / 10, time.monotonic())

    def close(self) -> None:
        self.closed += 1


class Cameras:
    """Opens cameras whose one track is always there; keeps what is told."""

    def __init__(self, frames: int | None = None, pause: float = 0.0) -> None:
        self.frames, self.pause = frames, pause
        self.events: list[Event] = []
        self.opened: dict[str, Watched] = {}
        self.opens: list[str] = []
        self.failing: dict[str, EdgeError] = {}
        self.slow: dict[str, threading.Event] = {}
        self.together: threading.Barrier | None = None
        self.on_open: Callable[[int], object] = lambda opens: None
        self.on_frame: Callable[[str, int], None] = lambda name, number: None
        self.configured: list[WatchConfig] = []
        self.zones: list[dict[str, Any]] = []

    def open(self, config: CameraConfig, wake: threading.Event) -> Watched:
        self.opens.append(config.name)
        self.on_open(len(self.opens))
        if config.name in self.slow:
            self.slow[config.name].wait(60)
        if (error := self.failing.get(config.name)) is not None:
            raise error
        zones = None if config.zones is None else ZonesFile(config.zones)
        run = Scripted(settings_of(config, zones_of(zones)))
        run.watcher.camera = run.watcher.reporter.camera = config.name
        camera = FakeCamera(config.name, run.background.image, self.frames)

        def process(frame: Frame) -> FrameResult:
            run.script.tracks = [track(1, (50.0, 60.0), frame.at)]
            return FrameResult(
                frame, SimpleNamespace(shape=(50, 100)), None, 0.0, [], None, run.background,
                True, [], 1.0, 1.0,
            )  # fmt: skip

        resources = ExitStack()
        resources.callback(camera.close)
        pipeline: Any = SimpleNamespace(camera=camera, process=process, close=lambda: None)
        watched = Watched(config, Channel(pipeline), run.watcher, resources, zones)
        self.opened[config.name] = watched
        if self.together is not None:  # none has ended when another one begins
            self.together.wait(60)
        return watched

    def put(self, event: Event) -> None:
        self.events.append(event)

    def frame(
        self, camera: str, live: bool, result: FrameResult, events: list[Event]
    ) -> list[Event]:
        time.sleep(self.pause)
        self.on_frame(camera, result.frame.number)
        return events

    def configure(self, config: WatchConfig, zones: Mapping[str, Any], board: object) -> None:
        self.configured.append(config)
        self.zones.append(dict(zones))

    def close(self) -> None:
        self.closed = True

    def told(self, name: str) -> list[str]:
        return [short(event) for event in self.events if event.camera == name]


def config(*names: str, **values: Any) -> WatchConfig:
    return WatchConfig(tuple(CameraConfig(name, f"{name}.mp4", **values) for name in names))


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK_S", 0.0)
    monkeypatch.setattr(module, "FIRST_WAIT_S", 0.05)
    monkeypatch.setattr(watcher, "SEEN_S", 0.0)
    monkeypatch.setattr(watcher, "STAYS_S", 0.0)
    monkeypatch.setattr(watcher, "STAYS_SEEN_S", 0.0)


PRESENT = ["appeared begin 1", "left end 1"]


def test_several_cameras_until_their_ends() -> None:
    cameras = Cameras(frames=5)
    assert Watch(config("a", "b"), cameras.open, cameras).run() == []
    assert cameras.told("a") == cameras.told("b") == PRESENT
    assert all(each.channel.pipeline.camera.closed for each in cameras.opened.values())


def test_so_many_frames_of_each() -> None:
    cameras = Cameras()
    assert Watch(config("a", "b"), cameras.open, cameras).run(frames=7) == []
    assert [each.channel.frames for each in cameras.opened.values()] == [7, 7]


def test_a_camera_that_opens_slowly_stops_nobody() -> None:
    cameras = Cameras(frames=40, pause=0.002)
    cameras.slow["b"] = threading.Event()

    def seen(name: str, number: int) -> None:
        if (name, number) == ("a", 20):
            cameras.slow["b"].set()

    cameras.on_frame = seen
    assert Watch(config("a", "b"), cameras.open, cameras).run() == []
    assert cameras.told("a") == cameras.told("b") == PRESENT


def test_cameras_take_turns() -> None:
    order: list[str] = []
    cameras = Cameras(frames=30)
    cameras.on_frame = lambda name, number: order.append(name)
    Watch(config("a", "b", "c"), cameras.open, cameras).run()
    both = "".join(order)
    begin = max(both.index(name) for name in "abc")
    end = min(both.rindex(name) for name in "abc")
    together = both[begin:end]
    assert all(abs(together.count(x) - together.count(y)) <= 1 for x in "abc" for y in "abc")


def test_the_only_camera_that_fails_is_an_error_and_one_of_several_is_told() -> None:
    cameras = Cameras(frames=5)
    cameras.failing["b"] = UsageError("b.mp4 is no video")
    with pytest.raises(UsageError, match=r"b\.mp4 is no video"):
        Watch(config("b"), cameras.open, cameras).run()
    watching = Watch(config("a", "b"), cameras.open, cameras)
    assert watching.run() == ["b was given up"]
    assert cameras.told("a") == PRESENT
    assert watching.ended["b"] == "b.mp4 is no video"


def test_a_camera_that_is_away_at_first_is_lost_and_comes_back() -> None:
    cameras = Cameras(frames=5)
    cameras.failing["door"] = CameraError("rtsp://door cannot be opened")
    chosen = WatchConfig((CameraConfig("door", "rtsp://door"),))
    watching = Watch(chosen, cameras.open, cameras, lambda: chosen)
    cameras.on_open = lambda opens: cameras.failing.clear() if opens == 3 else None
    begun = time.monotonic()
    assert watching.run() == []
    assert cameras.told("door") == ["lost begin", "back end", *PRESENT]
    assert cameras.events[0].incident == cameras.events[1].incident
    # It was tried again after 0.05 s, and after 0.1 s more.
    assert 0.1 < (cameras.events[1].duration_s or 0) < time.monotonic() - begun + 0.1
    assert cameras.events[0].size is None


def test_a_camera_that_never_comes_is_no_longer_lost_at_the_end() -> None:
    """Nor is one given up whose zones are edited while it is away: that file will be mended."""
    cameras = Cameras(frames=5)
    cameras.failing["door"] = CameraError("rtsp://door cannot be opened")
    chosen = WatchConfig((CameraConfig("door", "rtsp://door"),))
    watching = Watch(chosen, cameras.open, cameras, lambda: chosen)

    def opens(number: int) -> None:
        if number == 2:
            cameras.failing["door"] = UsageError("zones.json: unknown key `loitering`")
        if number == 4:
            watching.end(KeyboardInterrupt())

    cameras.on_open = opens
    with pytest.raises(KeyboardInterrupt):
        watching.run()
    assert cameras.told("door") == ["lost begin", "back end"]


def test_a_camera_that_is_away_for_long_is_told_once_and_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What opening it says is told once, and again when it succeeds."""
    monkeypatch.setattr(module, "LONGEST_WAIT_S", 0.01)
    cameras = Cameras(frames=5)
    chosen = WatchConfig((CameraConfig("door", "rtsp://door"),))

    def opened(config: CameraConfig, wake: threading.Event) -> Watched:
        note("its background is read")
        if len(cameras.opens) == 3:
            cameras.failing["door"] = UsageError("zones.json: unknown key `loitering`")
        if len(cameras.opens) == 6:
            cameras.failing.clear()
        return cameras.open(config, wake)

    def told() -> list[str]:
        cameras.opens.clear()
        cameras.failing["door"] = CameraError("rtsp://door cannot be opened")
        watching = Watch(chosen, opened, cameras, lambda: chosen)
        begin = watching._begin_opening

        def at_once(config: CameraConfig) -> None:
            begin(config)
            watching._opening[config.name].wait = 0.01

        monkeypatch.setattr(watching, "_begin_opening", at_once)
        assert watching.run() == []
        assert len(cameras.opens) == 7
        return capsys.readouterr().err.splitlines()

    lines = told()
    assert lines.count("its background is read") == 2
    assert [line for line in lines if "again" in line or "is back" in line] == [
        "rtsp://door cannot be opened; trying again until it is there",
        "zones.json: unknown key `loitering`; trying again until it is there",
        "door is back",
    ]
    monkeypatch.setattr(module, "REMIND_S", 0.0)
    assert sum("trying again until" in line for line in told()) == 6


def test_without_a_file_a_camera_that_is_away_is_an_error() -> None:
    cameras = Cameras()
    cameras.failing["door"] = CameraError("rtsp://door cannot be opened")
    with pytest.raises(CameraError):
        Watch(WatchConfig((CameraConfig("door", "rtsp://door"),)), cameras.open, cameras).run()


def test_who_does_not_fit_is_learned_anew_when_somebody_confirms(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of three cameras one was moved; a name confirms whatever it is, and a wrong one nothing."""
    cameras = Cameras(frames=30)
    confirmed: list[str] = []
    cameras.together = threading.Barrier(3)
    monkeypatch.setattr(module, "OPENED_AT_ONCE", 3)
    watching = Watch(config("a", "b", "c"), cameras.open, cameras)

    def seen(name: str, number: int) -> None:
        watched = watching.watched[name]
        pipeline: Any = watched.channel.pipeline
        pipeline.confirm = lambda: confirmed.append(name) or name != "c"
        if name == "b" and number == 10:
            watched.watcher.states.of_scene([CameraEvent("camera_moved", 1.0, "")])
            watching.confirm()
        if name == "c" and number == 20:
            watching.confirm("a")
            watching.confirm("nobody")
            watching.confirm("c")

    cameras.on_frame = seen
    notes: list[str] = []
    monkeypatch.setattr(module, "note", notes.append)
    assert watching.run() == []
    assert confirmed == ["b", "a", "c"]
    assert ["learned anew" in note for note in notes] == [True] * 4
    assert "nobody is no live camera" in notes[2] and "c is no live camera" in notes[3]


def test_reread_without_losing_tracks_of_unchanged_cameras(tmp_path: Path) -> None:
    """b goes, c comes, a gets a zone; none of the tracks of a begins anew."""
    write_zones(tmp_path / "a.json", [ALL])
    before, after = config("a", "b"), config("a", "c")
    zoned = replace(after.cameras[0], zones=tmp_path / "a.json")
    after = replace(after, cameras=(zoned, after.cameras[1]))
    cameras = Cameras(pause=0.001)
    watching = Watch(before, cameras.open, cameras, lambda: after)

    def seen(name: str, number: int) -> None:
        both = [watching.watched.get(each) for each in "ab"]
        if not cameras.configured[1:] and all(each and each.channel.frames > 5 for each in both):
            watching.reload()
        for watched in list(watching.watched.values()):
            if watched.config.name == "c" and watched.channel.frames > 5:
                for each in watching.watched.values():
                    each.channel.pipeline.camera._frames = 0

    cameras.on_frame = seen
    assert watching.run() == []
    assert sorted(cameras.opens) == ["a", "b", "c"]
    assert cameras.told("a") == [
        "appeared begin 1", "zone_entered begin 1 all", "zone_left end 1 all", "left end 1"
    ]  # fmt: skip
    assert cameras.told("b") == cameras.told("c") == PRESENT
    assert cameras.configured == [before, after] and cameras.closed


def test_a_wrong_file_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    cameras = Cameras(frames=30)

    def reread() -> WatchConfig:
        raise UsageError("cameras.toml: line 3: key `x`: unknown key")

    watching = Watch(config("a"), cameras.open, cameras, reread)
    cameras.on_frame = lambda name, number: watching.reload() if number == 10 else None
    assert watching.run() == []
    assert cameras.told("a") == PRESENT
    assert "line 3: key `x`: unknown key; everything goes on as it was" in capsys.readouterr().err


def test_a_changed_source_is_opened_again() -> None:
    cameras = Cameras(pause=0.001)
    before = config("a")
    after = replace(before, cameras=(replace(before.cameras[0], source="other.mp4"),))
    watching = Watch(before, cameras.open, cameras, lambda: after)

    def seen(name: str, number: int) -> None:
        watched = watching.watched["a"]
        if watched.config.source == "a.mp4" and number == 5:
            watching.reload()
        if watched.config.source == "other.mp4" and number == 5:
            watched.channel.pipeline.camera._frames = 0

    cameras.on_frame = seen
    assert watching.run() == []
    assert cameras.told("a") == PRESENT * 2


def test_edited_zones_are_taken_over_and_wrong_ones_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "zones.json"
    write_zones(path, [])
    cameras = Cameras(frames=40)

    def seen(name: str, number: int) -> None:
        if number == 5:
            write_zones(path, [ALL])
        if number == 15:
            path.write_text("{}")

    cameras.on_frame = seen
    assert Watch(config("a", zones=path), cameras.open, cameras).run() == []
    assert cameras.told("a") == [
        "appeared begin 1", "zone_entered begin 1 all", "zone_left end 1 all", "left end 1"
    ]  # fmt: skip
    assert cameras.zones == [{"a": ()}, {"a": (ALL,)}]  # sinks know them too, without SIGHUP
    notes = capsys.readouterr().err
    assert "a: 1 zones of" in notes and notes.count("the zones of a stay as they were") == 1


def test_switches_and_profiles(tmp_path: Path) -> None:
    path = tmp_path / "zones.json"
    write_zones(path, [ALL])
    profiles = {"day": (), "home": ("a",), "porch": ("a/all",)}
    chosen = replace(config("a", "b", zones=path), profiles=profiles)
    cameras = Cameras(frames=60)
    watching = Watch(chosen, cameras.open, cameras)
    steps = {
        10: lambda: watching.switch("a", "all", False),
        20: lambda: watching.switch("a", "all", True),
        30: lambda: watching.choose("home"),
        40: lambda: watching.choose("porch"),
    }
    cameras.on_frame = lambda name, number: (
        steps[number]() if name == "a" and number in steps else 0
    )
    assert watching.profile == "day"
    assert watching.run() == []
    assert cameras.told("a") == [
        "appeared begin 1", "zone_entered begin 1 all", "zone_left end 1 all",
        "zone_entered begin 1 all", "zone_left end 1 all", "left end 1", "appeared begin 1",
        "left end 1",
    ]  # fmt: skip
    assert len(cameras.told("b")) == 4
    with pytest.raises(EdgeError, match="no profile `none`; profiles: day, home, porch"):
        watching.choose("none")


def test_live_cameras_say_once_how_many_the_machine_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After so many frames of both; a recording says it at its end."""
    monkeypatch.setattr(module, "SETTLED", 40)
    said: list[str] = []

    def seen(name: str, number: int) -> None:
        said.append(capsys.readouterr().err)

    for live in (False, True):
        monkeypatch.setattr(FakeCamera, "live", live)
        said.clear()
        cameras = Cameras(frames=60)
        cameras.together = threading.Barrier(2)
        cameras.on_frame = seen
        Watch(config("a", "b"), cameras.open, cameras).run()
        when = [number for number, text in enumerate(said) if "this machine takes" in text]
        assert len(when) == live
        assert all(number >= 80 for number in when)


def test_a_drift_of_int8_is_told_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    cameras = Cameras(frames=30)
    kinds = {5: "int8_drift", 10: "int8_holds", 20: "int8_drift"}

    def seen(name: str, number: int) -> None:
        opened = cameras.opened[name]
        kind = kinds.get(number)
        event = kind and CameraEvent(kind, number / 10, f"{kind} of {name}")
        opened.shadow = cast(Any, SimpleNamespace(take=lambda: event))

    cameras.on_frame = seen
    assert Watch(config("a"), cameras.open, cameras).run() == []
    drift = [event for event in cameras.events if event.kind == "int8_drift"]
    assert [event.phase for event in drift] == ["begin", "end", "begin", "end"]
    assert [event.source_time for event in drift[:3]] == [0.5, 1.0, 2.0]
    assert drift[0].text == "int8_drift of a" and drift[1].duration_s == 0.5
    assert cameras.told("a")[0] == "appeared begin 1"  # things are told all the same
    assert "int8_drift of a\n" in capsys.readouterr().err


def test_a_camera_that_was_removed_is_closed_though_the_end_comes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It waits for the thread in which another camera is still being opened."""
    monkeypatch.setattr(module, "OPENED_AT_ONCE", 1)
    cameras = Cameras(pause=0.001)
    cameras.slow["b"] = threading.Event()

    def reread() -> WatchConfig:
        watching.end(KeyboardInterrupt())
        return config("b")

    watching = Watch(config("a", "b"), cameras.open, cameras, reread)
    cameras.on_frame = lambda name, number: watching.reload() if number == 5 else None
    with pytest.raises(KeyboardInterrupt):
        watching.run()
    cameras.slow["b"].set()
    wait_for(lambda: len(cameras.opened) == 2)
    wait_for(lambda: all(x.channel.pipeline.camera.closed for x in cameras.opened.values()))


def test_an_error_in_the_middle_closes_everything() -> None:
    cameras = Cameras()

    def seen(name: str, number: int) -> None:
        if number == 5:
            raise KeyboardInterrupt

    cameras.on_frame = seen
    with pytest.raises(KeyboardInterrupt):
        Watch(config("a", "b"), cameras.open, cameras).run()
    # One that was being opened is closed in its thread.
    wait_for(lambda: all(x.channel.pipeline.camera.closed for x in cameras.opened.values()))
    begun = {event.incident for event in cameras.events if event.phase == "begin"}
    assert begun == {event.incident for event in cameras.events if event.phase == "end"}
