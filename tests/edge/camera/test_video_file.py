"""Recordings with damaged frames: sound ones keep their numbers, lost ones are counted."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.camera.camera import Camera
from edge.camera.source import CameraError, CameraEvent, Frame

FRAMES = 60
CODECS = {".avi": "MJPG", ".mp4": "mp4v", ".mkv": "mp4v"}


def write_video(path: Path) -> None:
    """Frame k is noise, and grey of level 4 * k on the left."""
    rng = np.random.default_rng(0)
    code = cv2.VideoWriter.fourcc(*CODECS[path.suffix])
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, 10, (160, 128))
    for number in range(FRAMES):
        image = rng.integers(0, 256, (128, 160, 3), np.uint8)
        image[:, :64] = 4 * number
        writer.write(image)
    writer.release()


def damage(path: Path, begin: float, end: float) -> None:
    data = bytearray(path.read_bytes())
    first, last = int(begin * len(data)), int(end * len(data))
    data[first:last] = np.random.default_rng(1).bytes(last - first)
    path.write_bytes(data)


def watch(path: Path) -> tuple[Camera, list[Frame], list[CameraEvent]]:
    frames: list[Frame] = []
    events: list[CameraEvent] = []
    with Camera(str(path)) as camera:
        while not camera.ended:
            item = camera.take()
            if isinstance(item, Frame):
                frames.append(item)
            elif item is not None:
                events.append(item)
    return camera, frames, events


@pytest.mark.parametrize("suffix", CODECS)
def test_a_sound_recording_has_no_events(suffix: str, tmp_path: Path) -> None:
    write_video(path := tmp_path / f"a{suffix}")
    camera, frames, events = watch(path)
    assert [frame.number for frame in frames] == list(range(FRAMES))
    assert (events, camera.unreadable) == ([], 0)


def test_damaged_frames_of_an_mp4_are_passed_over(tmp_path: Path) -> None:
    write_video(path := tmp_path / "a.mp4")
    sound = [frame.image.astype(int) for frame in watch(path)[1]]
    damage(path, 0.4, 0.5)
    camera, frames, events = watch(path)
    assert len(frames) + camera.unreadable == FRAMES
    assert 0 < camera.unreadable < 40
    assert {event.kind for event in events} == {"unreadable"}
    assert "a.mp4: frames" in events[0].text
    numbers = [frame.number for frame in frames]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == FRAMES - 1
    for frame in (frames[0], *frames[-5:]):
        difference = [np.abs(image - frame.image).mean() for image in sound]
        assert np.argmin(difference) == frame.number
        assert frame.at == pytest.approx(frame.number / 10)


def test_damaged_frames_of_an_avi_are_passed_over_and_counted(tmp_path: Path) -> None:
    write_video(path := tmp_path / "a.avi")
    damage(path, 0.3, 0.6)
    camera, frames, events = watch(path)
    assert len(frames) > FRAMES / 2  # 16 of 53 was the end of it once
    assert len(frames) + camera.unreadable == FRAMES
    assert events
    assert frames[-1].image[:, :48].mean() / 4 == pytest.approx(FRAMES - 1, abs=0.9)


def test_one_damaged_frame_keeps_its_number(tmp_path: Path) -> None:
    """Only the payload of a frame in the middle is lost."""
    write_video(path := tmp_path / "a.avi")
    data = bytearray(path.read_bytes())
    begin = data.index(b"movi")
    for _ in range(21):
        begin = data.index(b"00dc", begin + 1)
    data[begin + 8 : begin + 700] = bytes(692)
    path.write_bytes(data)
    camera, frames, events = watch(path)
    assert camera.unreadable == 1
    assert [event.text for event in events] == [f"{path}: frame 20 cannot be decoded"]
    assert [frame.number for frame in frames] == [n for n in range(FRAMES) if n != 20]


def test_an_unknown_codec_is_named(shared: Path) -> None:
    path = shared / "cases" / "30-tiny-frames-and-av1" / "av1.mp4"
    if not path.is_file():
        pytest.skip("no AV1 recording beside this checkout")
    with pytest.raises(CameraError, match=r"codec AV01\).*ffmpeg -i"), Camera(str(path)) as camera:
        camera.take()
        pytest.skip("this OpenCV decodes AV1")
