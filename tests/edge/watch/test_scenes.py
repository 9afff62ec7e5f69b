"""Scripted scenes through everything, from the pixels to the events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import onnx
import pytest

from edge.builder.write import write_build
from edge.bundled import DEFAULT, bundled
from edge.calibrate import pipeline
from edge.calibrate.pipeline import BuildRequest
from edge.cli.opener import camera_opener
from edge.events.event import Event
from edge.watch.config import CameraConfig, WatchConfig
from edge.watch.watch import Watch
from edge.zones.file import write_zones
from edge.zones.zone import Zone

from . import scenes
from .scenes import SCENES, Box, Scene, Walk, floor
from .scripted import short


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled network as it is, in float32: no calibration, no surprises."""
    place = tmp_path_factory.mktemp("watch") / "build"
    request = BuildRequest(network=DEFAULT, target="openvino", precision="fp32")
    write_build(pipeline.plan(request, network=onnx.load(bundled(DEFAULT)), samples=[]), place)
    return place


DEPTH_AT_FENCE = 0.32
"""Ground depth 9.5 m away, which the depth of the scene gives here."""


class Kept:
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def put(self, event: Event) -> None:
        self.events.append(event)

    def frame(self, camera: str, live: bool, result: object, events: list[Event]) -> list[Event]:
        return events

    def configure(self, *_: object) -> None: ...

    def close(self) -> None: ...


def watch(
    name: str,
    scene: Scene,
    build: Path,
    folder: Path,
    zones: Sequence[Zone] = (),
    left_s: float = 4,
) -> list[str]:
    """What is told of a scene, in short; what lasts until its end is left out."""
    SCENES[name] = scene
    cv2.imwrite(str(folder / "bg.png"), scene.background())
    write_zones(folder / "zones.json", zones)
    camera = CameraConfig(
        name, f"scene://{name}", folder / "bg.png", build=build, zones=folder / "zones.json",
        left_s=left_s,
    )  # fmt: skip
    kept = Kept()
    assert not Watch(WatchConfig((camera,)), camera_opener(lambda: build, 1), kept).run()
    return shortened(kept.events, (round(scene.seconds * scenes.FPS) - 1) / scenes.FPS)


def shortened(events: Sequence[Event], last: float) -> list[str]:
    """Events in short, with tracks by the order in which they were told."""
    numbers: dict[int | None, int | None] = {None: None}
    for event in events:
        numbers.setdefault(event.track, len(numbers))
    return [
        short(replace(event, track=numbers[event.track]))
        for event in events
        if not (event.phase == "end" and event.source_time >= last - 1e-6)
    ]


ACROSS = Walk([(1.0, -8, 7), (11.0, 7, 7)])
"""Somebody who walks through the image from left to right, 7 m away."""
MIDDLE = Zone("middle", "restricted", floor((-2, 5.5), (1.5, 5.5), (1.5, 9), (-2, 9)))
"""A piece of the floor in the way."""
NEARLY_ALL = Zone(
    "yard", "restricted", ((0.0, 0.1), (1.0, 0.1), (1.0, 1.0), (0.0, 1.0)), rule="any"
)
"""A zone that everything is in that makes a spot in the mask."""


def test_somebody_walks_in_and_out(build: Path, tmp_path: Path) -> None:
    told = watch("walk", Scene(13, [ACROSS]), build, tmp_path, [MIDDLE])
    assert told == [
        "appeared begin 1", "zone_entered begin 1 middle", "zone_left end 1 middle", "left end 1"
    ]  # fmt: skip


@pytest.mark.slow
def test_the_depth_tells_who_is_beyond_the_fence(build: Path, tmp_path: Path) -> None:
    """Both walk through the polygon on the image; the depth of the ground is that of one."""
    fence = Zone("fence", "restricted", ((0.2, 0.1), (0.8, 0.1), (0.8, 1.0), (0.2, 1.0)))
    near = replace(fence, name="near", depth=(DEPTH_AT_FENCE, 1.0))
    beyond = Scene(13, [Walk([(1.0, -9, 13), (6.0, 0.5, 13), (11.0, -9, 13)])])
    told = watch("beyond", beyond, build, tmp_path, [fence, near])
    assert told == [
        "appeared begin 1", "zone_entered begin 1 fence", "zone_left end 1 fence", "left end 1"
    ]  # fmt: skip
    told = watch("here", Scene(13, [Walk([(1.0, -7, 6), (11.0, 7, 6)])]), build, tmp_path, [near])
    assert told == [
        "appeared begin 1", "zone_entered begin 1 near", "zone_left end 1 near", "left end 1"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["shadow", "light_switch", "rain", "tree", "headlights"])
@pytest.mark.slow
def test_what_is_nobody_makes_no_event(name: str, build: Path, tmp_path: Path) -> None:
    scene = Scene(10, change=getattr(scenes, name))
    assert watch(name, scene, build, tmp_path, [NEARLY_ALL]) == []


@pytest.mark.slow
def test_somebody_in_the_rain_is_seen(build: Path, tmp_path: Path) -> None:
    """That scene is not empty because nothing is seen in such weather."""
    told = watch("wet", Scene(13, [ACROSS], scenes.rain), build, tmp_path, [MIDDLE])
    assert told == [
        "appeared begin 1", "zone_entered begin 1 middle", "zone_left end 1 middle", "left end 1"
    ]  # fmt: skip


@pytest.mark.slow
def test_a_bag_is_left_behind(build: Path, tmp_path: Path) -> None:
    """The tracker stays with the bag, and somebody else walks on: two things, one left behind."""
    carrier = Walk([(1.0, -7, 6), (4.0, -1.2, 6), (5.0, -1.2, 6), (9.0, 7, 6.5)])
    scene = Scene(15, [carrier, Box(-0.6, 6, 4.5, 99)])
    told = watch("bag", scene, build, tmp_path)
    assert told == ["appeared begin 1", "appeared begin 2", "left end 2", "left_behind begin 1"]


@pytest.mark.slow
def test_something_is_taken_away(build: Path, tmp_path: Path) -> None:
    """The background still shows it, so nothing appears where it was; but the tracker may stay
    there, and follow the thief as somebody else."""
    thief = Walk([(1.0, -7, 6), (4.0, -1.2, 6), (5.0, -1.2, 6), (9.0, 7, 6.5)])
    box = Box(-0.6, 6, 0, 4.5)
    scene = Scene(15, [thief, box], before=[replace(box, end=99)])
    told = watch("taken", scene, build, tmp_path)
    stayed = ["appeared begin 1", "appeared begin 2", "left end 2", "taken_away begin 1"]
    assert told in (["appeared begin 1", "taken_away begin 2", "left end 1"], stayed)


@pytest.mark.slow
def test_somebody_loiters(build: Path, tmp_path: Path) -> None:
    zone = replace(MIDDLE, loitering_s=4.0)
    ways = [(0.5, -7, 7), (4.0, -0.8, 7), (6.0, 0.3, 6.5), (9.5, -1.0, 7.5), (13.0, 7, 7)]
    told = watch("loiter", Scene(15, [Walk(ways)]), build, tmp_path, [zone])
    assert told == [
        "appeared begin 1", "zone_entered begin 1 middle", "loitering begin 1 middle",
        "loitering end 1 middle", "zone_left end 1 middle", "left end 1",
    ]  # fmt: skip


@pytest.mark.slow
def test_somebody_who_passes_does_not_loiter(build: Path, tmp_path: Path) -> None:
    told = watch(
        "pass", Scene(13, [ACROSS]), build, tmp_path, [replace(MIDDLE, loitering_s=4.0)]
    )  # fmt: skip
    assert not any("loitering" in each for each in told)


@pytest.mark.slow
def test_a_line_is_crossed_in_each_direction(build: Path, tmp_path: Path) -> None:
    line = Zone("gate", "line", floor((0, 3), (0, 12)), directions=("east", "west"))
    ways = [(0.5, -7, 7), (5.5, 2.5, 7), (6.5, 2.5, 6.8), (11.5, -7, 7)]
    told = watch("line", Scene(13, [Walk(ways)]), build, tmp_path, [line])
    assert told == [
        "appeared begin 1", "line_crossed once 1 gate east", "line_crossed once 1 gate west",
        "left end 1",
    ]  # fmt: skip


@pytest.mark.slow
def test_two_people_cross_each_other(build: Path, tmp_path: Path) -> None:
    line = Zone("gate", "line", floor((0, 3), (0, 12)), directions=("east", "west"))
    others = Walk([(1.0, 8, 9.0), (11.0, -9, 9.0)], seed=5)
    told = watch("cross", Scene(13, [ACROSS, others]), build, tmp_path, [line])
    assert told == [
        "appeared begin 1", "appeared begin 2", "line_crossed once 1 gate west",
        "line_crossed once 2 gate east", "left end 1", "left end 2",
    ]  # fmt: skip


@pytest.mark.slow
def test_somebody_passes_behind_a_pillar(build: Path, tmp_path: Path) -> None:
    """The pillar of this yard hides somebody 12 m away for a moment."""
    told = watch("pillar", Scene(15, [Walk([(1.0, -8, 12), (13.0, 9, 12)])]), build, tmp_path)
    assert told == ["appeared begin 1", "left end 1"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind"), [("cover", "covered"), ("defocus", "defocused"), ("turn", "camera_moved")]
)
def test_what_is_done_to_the_camera(name: str, kind: str, build: Path, tmp_path: Path) -> None:
    """An event of the camera, and none of the thousand things that such masks show."""
    scene = Scene(11, change=getattr(scenes, name))
    told = watch(name, scene, build, tmp_path, [NEARLY_ALL])
    assert told == [f"{kind} begin"] + ([] if name == "turn" else [f"{kind} end"])
