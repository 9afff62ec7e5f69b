"""Recordings with damaged frames: sound ones keep their numbers, lost ones are counted."""

from __future__ import annotations

from pathlib import Path

import av
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
    assert "a.mp4: frame" in events[0].text
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


def test_an_index_keeps_the_numbers_behind_damage(tmp_path: Path) -> None:
    """The chunks of an .avi are gone, but the index at its end knows how many there were."""
    write_video(path := tmp_path / "a.avi")
    damage(path, 0.3, 0.5)
    camera, frames, _ = watch(path)
    assert 5 < camera.unreadable < 20
    assert frames[-1].number == FRAMES - 1
    for frame in (frames[0], *frames[-8:]):
        assert frame.image[:, :48].mean() / 4 == pytest.approx(frame.number, abs=0.9)
        assert frame.at == pytest.approx(frame.number / 10)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.mp4", "libsvtav1")]
)
def test_other_codecs_are_read_past_damage(name: str, codec: str, tmp_path: Path) -> None:
    path = tmp_path / name
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10, options={"g": "8"})
        stream.width, stream.height, stream.pix_fmt = 160, 128, "yuv420p"
        for number in range(FRAMES):
            image = rng.integers(0, 256, (128, 160, 3), np.uint8)
            image[:, :64] = 4 * number
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    damage(path, 0.4, 0.45)
    camera, frames, events = watch(path)
    assert len(frames) > FRAMES / 2
    assert frames[-1].at == pytest.approx((FRAMES - 1) / 10)
    assert frames[-1].image[:, :48].mean() / 4 == pytest.approx(FRAMES - 1, abs=1)
    if name.endswith(".mp4"):
        assert events
        assert len(frames) + camera.unreadable == FRAMES
        assert frames[-1].number == FRAMES - 1


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_a_recording_that_was_cut_off_says_so(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    write_video(path)
    data = path.read_bytes()
    if suffix == ".mp4":  # its index comes first, as web servers like it
        with av.open(str(path)) as source:
            whole = tmp_path / "whole.mp4"
            with av.open(str(whole), "w", options={"movflags": "faststart"}) as copy:
                stream = copy.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(video=0):
                    if packet.dts is not None:
                        packet.stream = stream
                        copy.mux(packet)
        data = whole.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    camera, frames, events = watch(path)
    assert 15 < len(frames) < 45
    assert events[-1].kind == "unreadable"
    assert len(frames) + camera.unreadable == pytest.approx(FRAMES, abs=1)


def test_a_recording_without_its_index_is_named(tmp_path: Path) -> None:
    write_video(path := tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(CameraError, match=r"a\.mp4: it is not a video .* did not close it"):
        watch(path)


def test_a_recording_of_which_nothing_can_be_decoded_is_a_failure(tmp_path: Path) -> None:
    write_video(path := tmp_path / "a.avi")
    data = bytearray(path.read_bytes())
    begin = data.index(b"movi")
    for _ in range(FRAMES):
        begin = data.index(b"00dc", begin + 1)
        data[begin + 8 : begin + 700] = bytes(692)
    path.write_bytes(data)
    with pytest.raises(CameraError, match=r"cannot decode a frame of .*a\.avi \(codec mjpeg\)"):
        watch(path)
