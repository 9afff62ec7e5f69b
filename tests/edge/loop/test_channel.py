"""The video of a source, and the summary."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edge.camera.camera import Camera
from edge.camera.source import Frame
from edge.loop.channel import Channel, capacity, summary


def source(**attributes: object) -> SimpleNamespace:
    camera = {"live": True, "fps": 10.0, "timed": True, "name": "cam", "dropped": 0}
    camera["unreadable"] = 0
    return SimpleNamespace(camera=SimpleNamespace(**(camera | attributes)), close=lambda: None)


IMAGE = np.zeros((48, 64, 3), np.uint8)
NAMES = ["a.mp4", "a.mkv", "a.webm", "a.avi"]


def length(path: Path) -> float:
    """Seconds from the first frame of a video to its last."""
    with Camera(str(path)) as camera:
        last = 0.0
        while not camera.ended:
            item = camera.take()
            last = item.at if isinstance(item, Frame) else last
    return last


@pytest.mark.parametrize("name", NAMES)
def test_a_gap_of_a_live_source_is_left_out_of_its_video(name: str, tmp_path: Path) -> None:
    """A minute without a frame: two seconds of it are shown, and then time goes on."""
    channel = Channel(source(), tmp_path / name)  # type: ignore[arg-type]
    for number in range(20):
        arrived = 500 + number / 10 + (60 if number >= 10 else 0)
        channel.write(IMAGE, Frame(IMAGE, number, 0.0, arrived))
    channel.close()
    assert length(tmp_path / name) == pytest.approx(0.9 + 2 + 0.9, abs=0.11)


@pytest.mark.parametrize("name", NAMES)
def test_the_video_of_a_recording_plays_in_its_time(name: str, tmp_path: Path) -> None:
    """Fast, slow, and a frame every five minutes."""
    times = [7.0, 7.1, 7.2, 9.0, 11.0, 311.0]
    channel = Channel(source(live=False), tmp_path / name)  # type: ignore[arg-type]
    for number, at in enumerate(times):
        channel.write(IMAGE, Frame(IMAGE, number, at, 0.0))
    channel.close()
    assert length(tmp_path / name) == pytest.approx(304, abs=0.11)


def test_images_without_a_time_play_at_a_usual_rate(tmp_path: Path) -> None:
    folder = source(live=False, fps=0.0, timed=False)
    channel = Channel(folder, tmp_path / "a.mp4")  # type: ignore[arg-type]
    for number in range(16):
        channel.write(IMAGE, Frame(IMAGE, number, float(number), 0.0))
    channel.close()
    assert length(tmp_path / "a.mp4") == pytest.approx(1.0)


def test_decoding_counts_for_the_number_of_cameras() -> None:
    result = SimpleNamespace(busy_ms=4.0, latency_ms=5.0)
    pipeline = source()
    pipeline.process = lambda frame: result
    channel = Channel(pipeline)  # type: ignore[arg-type]
    for number in range(40):
        channel.process(Frame(IMAGE, number, 0.0, 0.0, decode_ms=6.0))
    assert "about 10 such cameras: 10.0 ms a frame with decoding" in summary([channel])[1]


def test_the_summary_counts_frames_and_estimates_cameras() -> None:
    channel = Channel(source(dropped=3, unreadable=2))  # type: ignore[arg-type]
    assert summary([channel]) == ["cam: 0 frames, 2 unreadable"]
    channel.frames = 40
    channel.busy_ms.extend([4.0] * 39 + [44.0])
    channel.latency_ms.extend([7.0] * 40)
    counts, cameras = summary([channel])
    assert counts == "cam: 40 frames, 7.0 ms from frame to mask, 3 dropped, 2 unreadable"
    # What one frame of forty takes longer is paid as well.
    assert cameras == (
        "this machine takes about 20 such cameras: 5.0 ms a frame with decoding"
        " (mean of the last 40 frames), 10 frames a second"
    )
    assert summary([Channel(source())]) == []  # type: ignore[arg-type]


def test_different_cameras_count_with_their_own_rates() -> None:
    """20 ms at 10 frames a second and 10 ms at 30: half of the machine for two."""
    slow, fast = Channel(source()), Channel(source(fps=30.0), window=True)  # type: ignore[arg-type]
    slow.busy_ms.extend([20.0] * 30)
    fast.busy_ms.extend([10.0] * 90)
    never = Channel(source())  # type: ignore[arg-type]
    assert capacity([slow, fast, never]) == [
        "this machine takes about 4 such cameras: 12.5 ms a frame with decoding (mean of the last"
        " 120 frames, --out and --show left out), 10 to 30 frames a second"
    ]


def test_a_machine_that_is_too_slow_for_one_says_so() -> None:
    channel = Channel(source())  # type: ignore[arg-type]
    channel.busy_ms.extend([140.0] * 40)
    (line,) = capacity([channel])
    assert line.startswith("this machine keeps up with no such camera: 140.0 ms a frame")


def test_few_frames_and_an_unknown_rate() -> None:
    channel = Channel(source(fps=0.0))  # type: ignore[arg-type]
    channel.busy_ms.extend([5.0] * 29)
    assert capacity([channel]) == []
    channel.busy_ms.append(5.0)
    assert capacity([channel])[0].endswith("15 frames a second, which is assumed")
