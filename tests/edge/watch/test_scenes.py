"""Scripted scenes through everything, from the pixels to the events."""

from __future__ import annotations

import threading
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
from edge.cli.watch import camera_opener
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


class Kept:
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def put(self, event: Event, sinks: tuple[str, ...] | None) -> None:
        self.events.append(event)

    def frame(self, watched: object, result: object, events: list[Event]) -> list[Event]:
        return events

    def configure(self, config: WatchConfig) -> None:
        raise AssertionError


def watch(
    name: str, scene: Scene, build: Path, folder: Path, zones: Sequence[Zone] = (), left_s: float = 4
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
    last = (round(scene.seconds * scenes.FPS) - 1) / scenes.FPS
    return [
        short(e) for e in kept.events if not (e.phase == "end" and e.source_time >= last - 1e-6)
    ]


ACROSS = Walk([(1.0, -8, 7), (11.0, 7, 7)])
"""Somebody who walks through the image from left to right, 7 m away."""
MIDDLE = Zone("middle", "restricted", floor((-2, 5.5), (1.5, 5.5), (1.5, 9), (-2, 9)))


def test_somebody_walks_in_and_out(build: Path, tmp_path: Path) -> None:
    told = watch("walk", Scene(13, [ACROSS]), build, tmp_path, [MIDDLE])
    assert told == [
        "appeared begin 1", "zone_entered begin 1 middle", "zone_left end 1 middle", "left end 1"
    ]  # fmt: skip
