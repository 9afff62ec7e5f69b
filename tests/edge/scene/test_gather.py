from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.camera.source import SCHEMES, CameraError, Decoded
from edge.scene import gather
from edge.scene.gather import LEAST, MOST, gather_images


def write_video(path: Path, levels: list[int], fps: float = 10) -> str:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (64, 48))
    for level in levels:
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    return str(path)


def test_images_are_spread_over_the_seconds_asked_for(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", list(range(250)))
    levels = [image.mean() for image in gather_images(path, seconds=20)]
    assert MOST // 2 < len(levels) <= MOST
    assert 150 < max(levels) < 210
    steps = np.diff(levels)
    assert steps.max() - steps.min() < 2


@pytest.mark.parametrize("fps", [5, 10, 30])
@pytest.mark.parametrize("seconds", [0.5, 1, 4, 10, 19])
def test_nothing_after_the_seconds_is_used(fps: int, seconds: float, tmp_path: Path) -> None:
    total = round(seconds * fps)
    path = write_video(tmp_path / "a.avi", [0] * total + [250] * total, fps)
    levels = [image.mean() for image in gather_images(path, seconds=seconds)]
    assert min(MOST // 2 + 1, total) <= len(levels) <= MOST
    assert max(levels) < 5


@pytest.mark.parametrize("frames", [1, 4, 9, 10, 30, 61, 62, 90, 500])
def test_a_recording_of_any_length_gives_enough_images(frames: int, tmp_path: Path) -> None:
    """The length is not known beforehand: 60 seconds are the default, a clip of 3 has 90 frames."""
    levels = [240 * number // frames for number in range(frames)]
    path = write_video(tmp_path / "a.avi", levels, 30)
    images = gather_images(path)
    assert len(images) == frames if frames <= MOST else MOST // 2 < len(images) <= MOST
    assert images[0].mean() < 5
    assert images[-1].mean() > 240 - 2 * 240 / len(images) - 5


@pytest.mark.parametrize("frames", [9, 10, 16, 17, 33, 100])
def test_large_images_are_at_least_nine(
    frames: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "BYTES", 1)
    path = write_video(tmp_path / "a.avi", [100] * frames)
    assert LEAST <= len(gather_images(path)) < 2 * LEAST


def test_a_broken_image_is_told_and_left_out(tmp_path: Path) -> None:
    for number in range(6):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((8, 8, 3), number, np.uint8))
    (tmp_path / "3.png").write_bytes(b"half")
    frames, messages = [], []
    images = gather_images(
        str(tmp_path), on_frame=lambda: frames.append(1), on_unreadable=messages.append
    )
    assert [image[0, 0, 0] for image in images] == [0, 1, 2, 4, 5]
    assert len(frames) == 6
    assert len(messages) == 1 and "3.png" in messages[0]
    with pytest.raises(CameraError, match=r"no frame of .*3\.png could be read"):
        gather_images(str(tmp_path / "3.png"))


class Silent:
    """A live source that gives nothing until it is closed."""

    live, fps = True, 10.0

    def __init__(self) -> None:
        self._closed = threading.Event()

    def read(self) -> Decoded | None:
        self._closed.wait(0.2)
        return None

    def close(self) -> None:
        self._closed.set()


class Late(Silent):
    """A live source whose first frame takes a while, as a stream's does; 100 a second then."""

    def __init__(self, wait: float) -> None:
        super().__init__()
        self._wait, self._number = wait, 0

    def read(self) -> Decoded:
        self._closed.wait(0.01 if self._number else self._wait)
        self._number += 1
        return Decoded(np.full((8, 8, 3), self._number % 256, np.uint8))


def test_the_seconds_of_a_live_source_begin_with_its_first_frame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They were over before it came."""
    monkeypatch.setitem(SCHEMES, "late", lambda url: Late(0.6))
    assert len(gather_images("late://a", seconds=0.5)) >= LEAST


def test_gathering_can_be_ended_while_a_camera_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice called back, though it has no frame."""
    calls = []

    def end() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise CancelledError

    monkeypatch.setitem(SCHEMES, "silent", lambda url: Silent())
    with pytest.raises(CancelledError):
        gather_images("silent://a", seconds=86_400, on_frame=end)


def test_gathering_of_a_recording_can_be_ended(tmp_path: Path) -> None:
    def end() -> None:
        raise CancelledError

    with pytest.raises(CancelledError):
        gather_images(write_video(tmp_path / "a.avi", [100] * 20), on_frame=end)
