"""Recordings with damaged frames: sound ones keep their numbers, lost ones are counted."""

from __future__ import annotations

from fractions import Fraction
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


def encode(path: Path, codec: str, options: dict[str, str] | None = None) -> None:
    """The video of write_video, with a key frame every 10 frames and clusters of a second."""
    rng = np.random.default_rng(0)
    container_options = {"cluster_time_limit": "1000"} if path.suffix == ".mkv" else {}
    with av.open(str(path), "w", container_options=container_options) as container:
        stream = container.add_stream(codec, rate=10, options={"g": "10", **(options or {})})
        stream.width, stream.height = 160, 128
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number in range(FRAMES):
            image = rng.integers(0, 256, (128, 160, 3), np.uint8)
            image[:, :64] = 4 * number
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))


def numbers_are_right(frames: list[Frame]) -> bool:
    shown = [frame.image[:, :48].mean() / 4 for frame in frames]
    return all(abs(level - frame.number) < 1 for level, frame in zip(shown, frames, strict=True))


@pytest.mark.parametrize("codec", ["libx264", "libvpx-vp9", "mjpeg"])
@pytest.mark.parametrize("how", ["removed", "zeros"])
def test_lost_clusters_of_a_matroska_file_are_counted(codec: str, how: str, tmp_path: Path) -> None:
    encode(path := tmp_path / "a.mkv", codec, {"bf": "0"} if codec == "libx264" else None)
    data = path.read_bytes()
    clusters = [i for i in range(len(data)) if data.startswith(b"\x1f\x43\xb6\x75", i)]
    begin, end = clusters[len(clusters) // 3], clusters[2 * len(clusters) // 3]
    path.write_bytes(data[:begin] + (b"" if how == "removed" else bytes(end - begin)) + data[end:])
    camera, frames, events = watch(path)
    lost = camera.unreadable
    assert lost == FRAMES - len(frames) and 15 <= lost <= 25
    assert [event.kind for event in events] == ["unreadable"]
    assert frames[-1].number == FRAMES - 1 and frames[-1].at == pytest.approx(5.9)
    assert numbers_are_right(frames)


@pytest.mark.parametrize("live", ["0", "1"])
def test_a_gap_of_a_sound_matroska_file_is_no_loss(live: str, tmp_path: Path) -> None:
    """As recorders leave where nothing moved; browsers write neither duration nor index."""
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w", container_options={"live": live}) as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "5", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 160, 128, "yuv420p"
        for number in (*range(20), *range(50, 70)):
            frame = av.VideoFrame.from_ndarray(
                np.full((128, 160, 3), 3 * number, np.uint8), format="bgr24"
            )
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    camera, frames, events = watch(path)
    assert (len(frames), camera.unreadable, events) == (40, 0, [])
    assert frames[-1].at == pytest.approx(6.9)


@pytest.mark.parametrize("how", ["cut off", "zeros"])
@pytest.mark.parametrize("name", ["a.avi", "a.mkv"])
def test_half_a_jpeg_is_no_frame(name: str, how: str, tmp_path: Path) -> None:
    encode(path := tmp_path / name, "mjpeg")
    data = path.read_bytes()
    half = len(data) // 2
    path.write_bytes(data[:half] + (bytes(len(data) - half) if how == "zeros" else b""))
    camera, frames, _ = watch(path)
    assert 20 < len(frames) < 35 and camera.cut_off
    assert numbers_are_right(frames)
    assert len(frames) + camera.unreadable == pytest.approx(FRAMES, abs=1)


@pytest.mark.parametrize("suffix", [".mkv", ".flv"])
def test_few_frames_that_are_missing_at_the_end_are_counted(suffix: str, tmp_path: Path) -> None:
    encode(path := tmp_path / f"a{suffix}", "libx264")
    assert watch(path)[2] == []
    data = path.read_bytes()
    path.write_bytes(data[: int(0.9 * len(data))])
    camera, frames, events = watch(path)
    assert len(frames) + camera.unreadable == pytest.approx(FRAMES, abs=1)
    assert 2 < camera.unreadable < 12 and events
    assert not camera.cut_off  # the rest is as good as ever


def test_where_data_are_missing_no_other_codec_is_advised(tmp_path: Path) -> None:
    encode(path := tmp_path / "a.mkv", "libx264")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"\x1f\x43\xb6\x75") + 1500])
    with pytest.raises(CameraError, match="data are missing; copy or download it again"):
        watch(path)
