"""The loop over several sources."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import edge
from edge.camera import camera as cameras
from edge.camera.camera import Camera
from edge.camera.source import CameraEvent, Decoded, UnreadableFrame
from edge.errors import EdgeError
from edge.loop.channel import Channel
from edge.loop.pipeline import CameraPipeline, FrameResult
from edge.loop.run import run_channels

from ..sinks.broker import wait_for

IMAGE = np.zeros((48, 64, 3), np.uint8)


class Recorder:
    """Remembers what it is told; `stop_at` makes it fail as a closed stdout does."""

    def __init__(self, stop_at: int = -1) -> None:
        self.frames: list[tuple[str, int]] = []
        self.events: list[str] = []
        self.failures: list[str] = []
        self.stop_at = stop_at

    def on_frame(self, channel: Channel, result: FrameResult) -> None:
        if len(self.frames) == self.stop_at:
            raise BrokenPipeError
        self.frames.append((channel.name, result.frame.number))

    def on_event(self, channel: Channel, event: CameraEvent) -> None:
        self.events.append(event.kind)

    def on_failure(self, channel: Channel, error: EdgeError) -> None:
        self.failures.append(str(error))


class Fake:
    """A source of `count` frames; sizes and failures by its address."""

    def __init__(self, url: str, value_range: None = None) -> None:
        self.live, self.fps = url.startswith("live"), 50.0
        self.url, self.number, self.closed = url, 0, False
        OPENED.append(self)

    def read(self) -> Decoded | None:
        self.number += 1
        if self.live:
            time.sleep(0.01)
            if "slow" in self.url and self.number == 8:
                with suppress(AssertionError):
                    wait_for(lambda: OPENED[0].closed, 30)
            SLOW_SAW.append(OPENED[0].closed)
            return Decoded(IMAGE)
        if "torn" in self.url and self.number == 3:
            raise UnreadableFrame("two are damaged", 2)
        if "grows" in self.url and self.number == 3:
            return Decoded(np.zeros((96, 128, 3), np.uint8))
        return Decoded(IMAGE) if self.number <= 5 and "none" not in self.url else None

    def close(self) -> None:
        self.closed = True


OPENED: list[Fake] = []
SLOW_SAW: list[bool] = []


@pytest.fixture
def open_channels(
    builds: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[list[Channel], threading.Event]]]:
    """open_channels(urls): channels on fake sources."""
    monkeypatch.setattr(cameras, "open_reader", Fake)
    OPENED.clear()
    SLOW_SAW.clear()
    wake, channels = threading.Event(), []

    def make(*urls: str, out: Path | None = None) -> tuple[list[Channel], threading.Event]:
        for url in urls:
            h = edge.open(builds("openvino", "fp32"), 1)
            channels.append(Channel(CameraPipeline(Camera(url, wake), h, IMAGE), out))
        return channels, wake

    yield make
    for channel in channels:
        channel.close()
        channel.pipeline.camera.close()
        edge.close(channel.pipeline.h)


def test_every_frame_of_recordings_is_processed(open_channels) -> None:  # type: ignore[no-untyped-def]
    recorder = Recorder()
    assert run_channels(*open_channels("a", "b"), recorder) == []
    assert sorted(recorder.frames) == [(name, n) for name in "ab" for n in range(5)]


def test_unreadable_frames_are_counted_and_keep_their_numbers(open_channels) -> None:  # type: ignore[no-untyped-def]
    channels, wake = open_channels("torn")
    recorder = Recorder()
    assert run_channels(channels, wake, recorder) == []
    assert [number for _, number in recorder.frames] == [0, 1, 4, 5]
    assert (recorder.events, channels[0].unreadable) == (["unreadable"], 2)


def test_a_source_without_a_frame_is_a_failure(open_channels) -> None:  # type: ignore[no-untyped-def]
    assert run_channels(*open_channels("none", "a"), Recorder()) == [
        "no frame of none could be read"
    ]


def test_a_source_that_fails_is_given_up_and_the_others_go_on(open_channels) -> None:  # type: ignore[no-untyped-def]
    recorder = Recorder()
    assert run_channels(*open_channels("grows", "a"), recorder) == ["grows was given up"]
    assert "128x96, its background is 64x48" in recorder.failures[0]
    assert ("a", 4) in recorder.frames


def test_the_only_source_that_fails_ends_the_loop(open_channels) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(EdgeError, match="128x96, its background is 64x48"):
        run_channels(*open_channels("grows"), Recorder())


def test_a_listener_that_fails_ends_the_loop_with_its_own_error(  # type: ignore[no-untyped-def]
    open_channels, tmp_path: Path
) -> None:
    channels, wake = open_channels("a", "b", out=tmp_path / "a.avi")
    with pytest.raises(BrokenPipeError):
        run_channels(channels, wake, Recorder(stop_at=3))


def test_a_live_source_that_has_given_its_frames_is_closed(open_channels) -> None:  # type: ignore[no-untyped-def]
    """Frames that it gives while others are still read are not counted as dropped. The slow one
    gives its last frames when it sees that."""
    channels, wake = open_channels("live-quick", "live-slow")
    assert run_channels(channels, wake, Recorder(), frames=8) == []
    assert SLOW_SAW[-1]
    assert [channel.frames for channel in channels] == [8, 8]
