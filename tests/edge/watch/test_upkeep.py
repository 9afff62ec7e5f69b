"""What is learned while a camera is watched, through the opener of `edge watch` and a restart."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import edge.cli.opener as command
from edge.camera.source import SCHEMES, Decoded, Frame
from edge.samples.sample import Image
from edge.watch.config import CameraConfig
from edge.watch.watch import Watched

from .scripted import textured

SIZE = (96, 128)


class Live:
    """A live source that gives nothing by itself."""

    live, fps = True, 10.0

    def read(self) -> Decoded | None:
        time.sleep(0.05)
        return Decoded(np.zeros((*SIZE, 3), np.uint8))

    def skip(self) -> bool:
        return True

    def close(self) -> None:
        pass


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CameraConfig:
    monkeypatch.setitem(SCHEMES, "standstill", lambda url: Live())
    cv2.imwrite(str(tmp_path / "bg.png"), textured(SIZE))
    return CameraConfig("door", "standstill://door", tmp_path / "bg.png")


@pytest.fixture
def opened(
    builds: Callable[[str, str], Path], tmp_path: Path
) -> Iterator[Callable[[CameraConfig], Watched]]:
    watched: list[Watched] = []

    def open_(config: CameraConfig) -> Watched:
        opener = command.camera_opener(
            lambda: builds("openvino", "fp32"), 1, folder=tmp_path / "watch"
        )
        watched.append(opener(config, threading.Event()))
        return watched[-1]

    yield open_
    for each in watched:
        each.resources.close()


def see(watched: Watched, image: Image, seconds: int, begin: float = 1e9) -> list[str]:
    """What is told of so many seconds, a frame for every eight."""
    kinds = []
    for second in range(0, seconds, 8):
        pipeline = watched.channel.pipeline
        if pipeline._coming is not None:  # what is prepared beside the frames is taken by this one
            pipeline._coming[1].result()
        result = pipeline.process(Frame(image, second, begin + second, 0.0))
        kinds += [event.kind for event in watched.watcher.frame(result)]
    return kinds


def brighter(image: Image) -> Image:
    return np.clip(image * 1.15, 0, 255).astype(np.uint8)


def background(watched: Watched) -> Image:
    return watched.channel.pipeline.background.image


def test_a_restart_goes_on_with_what_was_learned(
    config: CameraConfig, opened: Callable[[CameraConfig], Watched], tmp_path: Path
) -> None:
    given = (tmp_path / "bg.png").read_bytes()
    first = opened(config)
    assert see(first, brighter(textured(SIZE)), 300)[0] == "background_renewed"
    learned = background(first)
    first.resources.close()
    assert (tmp_path / "bg.png").read_bytes() == given
    second = opened(config)
    assert np.array_equal(background(second), learned)
    assert not np.array_equal(learned, textured(SIZE))
    # Another source, and another background of the user, begin anew.
    assert np.array_equal(
        background(opened(replace(config, source="standstill://yard"))), textured(SIZE)
    )
    cv2.imwrite(str(tmp_path / "bg.png"), brighter(textured(SIZE)))
    assert np.array_equal(background(opened(config)), brighter(textured(SIZE)))


def test_a_damaged_file_is_told_and_the_given_background_is_taken(
    config: CameraConfig,
    opened: Callable[[CameraConfig], Watched],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    first = opened(config)
    see(first, brighter(textured(SIZE)), 150)
    first.resources.close()
    (file,) = (tmp_path / "watch" / "scenes" / "door").glob("*.npz")
    file.write_bytes(file.read_bytes()[:-300])
    assert np.array_equal(background(opened(config)), textured(SIZE))
    told = capfd.readouterr().err
    assert "is damaged" in told and "learned again" in " ".join(told.split())


def test_what_is_followed_covers_the_background(
    config: CameraConfig, opened: Callable[[CameraConfig], Watched]
) -> None:
    """The pipeline asks the watcher: a track is not learned, though its mask is empty."""
    from ..zones.tracks import track

    watched = opened(config)
    changed = brighter(textured(SIZE))
    changed[40:80, 40:80] = 20
    standing = track(1, (60.0, 80.0), 1e9)
    watched.watcher._tracker = type("Script", (), {"update": lambda *_: [standing]})()
    see(watched, changed, 300)
    left, top, wide, tall = standing.thing.box
    inside = np.s_[max(top, 40) : min(top + tall, 80), max(left, 40) : min(left + wide, 80)]
    assert background(watched)[inside].size
    assert np.abs(background(watched)[inside].astype(int) - 20).min(2).mean() > 40
    assert not np.array_equal(background(watched), textured(SIZE))
