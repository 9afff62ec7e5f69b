"""Material as cameras and recorders send it, made here, against the images it was made of."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.stream import Disposition
from av.video.reformatter import ColorRange, Colorspace

from edge.camera.camera import Camera
from edge.camera.source import CameraError, Frame

SIZE = (96, 128)
COUNT = 12
TOLERANCE = 4.0
"""Mean difference in levels that compression and coarser colours may make."""


def truth(number: int) -> np.ndarray:
    """A smooth scene with coloured areas; a bright square moves by 6 pixels a frame."""
    down, across = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)
    image = np.stack([60 + across, 40 + down, 200 - across / 2 - down / 2], axis=2)
    image[56:88, 8:40] = (200, 40, 30)
    image[56:88, 88:120] = (30, 60, 210)
    image[16:40, 6 * number : 6 * number + 24] = 235
    return image.round().astype(np.uint8)


def encode(
    path: Path,
    codec: str,
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    colours: tuple[int, int] | None = None,
    times: list[float] | None = None,
    rate: int = 10,
) -> None:
    """Write truth(0), truth(1) ...; skip the test where PyAV lacks the encoder."""
    try:
        av.codec.Codec(codec, "w")
    except av.error.FFmpegError:
        pytest.skip(f"this PyAV has no encoder {codec}")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = SIZE
        stream.pix_fmt = pixels
        if times:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        space, span = colours or (None, None)
        if colours:
            stream.codec_context.colorspace, stream.codec_context.color_range = colours
        for number in range(len(times) if times else COUNT):
            frame = av.VideoFrame.from_ndarray(truth(number % COUNT), format="bgr24")
            frame = frame.reformat(format=pixels, dst_colorspace=space, dst_color_range=span)
            if colours:
                frame.colorspace, frame.color_range = colours
            frame.pts = round(1000 * times[number]) if times else None
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def frames_of(path: Path) -> list[Frame]:
    frames = []
    with Camera(str(path)) as camera:
        while not camera.ended:
            item = camera.take()
            assert not camera.unreadable
            if isinstance(item, Frame):
                frames.append(item)
    return frames


X264 = {"qp": "8", "bf": "2"}
FIELDS = {"flags": "+ildct+ilme"}
QUIET = {"x265-params": "log-level=none:qp=8"}
QSCALE = {"flags": "+qscale", "global_quality": "236"}
MATERIAL: dict[str, tuple[str, str, str, dict[str, str], tuple[int, int] | None]] = {
    "H.264": ("a.mp4", "libx264", "yuv420p", X264, None),
    "H.264 in an .avi": ("a.avi", "libx264", "yuv420p", X264, None),
    "interlaced H.264": ("a.mp4", "libx264", "yuv420p", {**FIELDS, "qp": "8"}, None),
    "interlaced H.264, bottom first": (
        "a.ts", "libx264", "yuv420p", {**FIELDS, "x264-params": "bff=1:qp=8"}, None,
    ),
    "interlaced MPEG-2": (
        "a.mpg", "mpeg2video", "yuv420p",
        {"flags": "+ildct+ilme+qscale", "global_quality": "236"}, None,
    ),
    "MPEG-2": ("a.ts", "mpeg2video", "yuv420p", QSCALE, None),
    "MPEG-4 with B-frames in an .avi": ("a.avi", "mpeg4", "yuv420p", {**QSCALE, "bf": "2"}, None),
    "MJPEG": ("a.avi", "mjpeg", "yuvj420p", QSCALE, None),
    "10-bit H.264": ("a.mkv", "libx264", "yuv420p10le", X264, None),
    "10-bit HEVC": ("a.mp4", "libx265", "yuv420p10le", QUIET, None),
    "HEVC": ("a.mkv", "libx265", "yuv420p", QUIET, None),
    "AV1": ("a.mp4", "libsvtav1", "yuv420p", {"crf": "15", "preset": "10"}, None),
    "10-bit AV1": ("a.mkv", "libsvtav1", "yuv420p10le", {"crf": "15", "preset": "10"}, None),
    "VP9": ("a.webm", "libvpx-vp9", "yuv420p", {"crf": "10", "b": "0", "cpu-used": "8"}, None),
    "4:2:2": ("a.mkv", "libx264", "yuv422p", X264, None),
    "grey": ("a.mkv", "ffv1", "gray", {}, None),
    "BT.709": (
        "a.mp4", "libx264", "yuv420p", X264, (Colorspace.ITU709.value, ColorRange.MPEG.value),
    ),
    "BT.709 in full range": (
        "a.mp4", "libx264", "yuv420p", X264, (Colorspace.ITU709.value, ColorRange.JPEG.value),
    ),
    "BT.601 in full range": (
        "a.mp4", "libx264", "yuv420p", X264, (Colorspace.ITU601.value, ColorRange.JPEG.value),
    ),
}  # fmt: skip


@pytest.mark.parametrize("material", MATERIAL)
def test_frames_are_what_was_encoded(material: str, tmp_path: Path) -> None:
    name, codec, pixels, options, colours = MATERIAL[material]
    encode(path := tmp_path / name, codec, pixels, options, colours)
    if "interlaced" in material:
        with av.open(str(path)) as container:
            assert next(container.decode(video=0)).interlaced_frame
    frames = frames_of(path)
    assert [frame.number for frame in frames] == list(range(COUNT))
    assert [frame.at for frame in frames] == pytest.approx([n / 10 for n in range(COUNT)], abs=2e-3)
    for frame in frames:
        assert (frame.image.shape, frame.image.dtype) == ((*SIZE, 3), np.uint8)
        expected = truth(frame.number)
        if pixels == "gray":
            expected = cv2.cvtColor(cv2.cvtColor(expected, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        differences = cv2.absdiff(frame.image, expected)
        assert differences.mean() < TOLERANCE, frame.number
        assert np.median(differences, axis=(0, 1)).max() < TOLERANCE


TURNS = {
    # a, b, c, d of the display matrix: what players show of an image.
    (0, 1, -1, 0): lambda image: np.rot90(image, -1),
    (0, -1, 1, 0): lambda image: np.rot90(image),
    (-1, 0, 0, -1): lambda image: np.rot90(image, 2),
    (-1, 0, 0, 1): lambda image: image[:, ::-1],
    (1, 0, 0, -1): lambda image: image[::-1],
    (0, 1, 1, 0): lambda image: image.swapaxes(0, 1),
}


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_a_recording_of_a_turned_camera_is_turned(turn: tuple[int, ...], tmp_path: Path) -> None:
    """By the matrix in an .mp4's track header."""
    encode(path := tmp_path / "a.mp4", "libx264", options=X264)
    data = bytearray(path.read_bytes())
    a, b, c, d = (65536 * value for value in turn)
    begin = data.index(b"tkhd") + 44
    matrix = np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], ">i4").tobytes()
    data[begin : begin + 36] = matrix
    path.write_bytes(data)
    image = frames_of(path)[0].image
    expected = TURNS[turn](truth(0))
    assert image.shape == expected.shape
    assert image.flags.c_contiguous
    assert cv2.absdiff(image, np.ascontiguousarray(expected)).mean() < TOLERANCE


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_frames_have_the_time_stamps_of_the_source(suffix: str, tmp_path: Path) -> None:
    """A motion recorder's: fast, then a frame every five minutes."""
    times = [0, 0.1, 0.2, 0.3, 2.0, 302.0, 602.0]
    codec = "libvpx" if suffix == ".webm" else "libx264"
    encode(path := tmp_path / f"a{suffix}", codec, times=times)
    frames = frames_of(path)
    assert [frame.number for frame in frames] == list(range(len(times)))
    assert [frame.at for frame in frames] == pytest.approx(times, abs=2e-3)


@pytest.mark.parametrize("suffix", [".ts", ".mkv"])
def test_joined_recordings_go_on_in_time(suffix: str, tmp_path: Path) -> None:
    encode(path := tmp_path / f"a{suffix}", "libx264")
    path.write_bytes(2 * path.read_bytes())
    frames = frames_of(path)
    assert [frame.number for frame in frames] == list(range(2 * COUNT))
    assert np.all(np.diff([frame.at for frame in frames]) > 0)


def test_an_unknown_codec_is_named(tmp_path: Path) -> None:
    encode(path := tmp_path / "a.avi", "mjpeg", "yuvj420p")
    path.write_bytes(path.read_bytes().replace(b"MJPG", b"ZZZZ"))
    with pytest.raises(CameraError, match=r"a\.avi has video of an unknown codec \(ZZZZ\).*ffmpeg"):
        Camera(str(path))


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame(samples=1024, format="fltp", layout="mono")
        frame.sample_rate = 8000
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(CameraError, match=r"a\.mp4 has no video"):
        Camera(str(path))


def test_a_cover_is_no_video(tmp_path: Path) -> None:
    with av.open(str(path := tmp_path / "a.m4a"), "w", format="mp4") as container:
        sound = container.add_stream("aac", rate=44_100)
        cover = container.add_stream("mjpeg")
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        image = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="bgr24")
        image.pts = 0
        container.mux([*cover.encode(image.reformat(format="yuvj420p")), *cover.encode(None)])
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = 44_100, 0
        container.mux([*sound.encode(frame), *sound.encode(None)])
    with pytest.raises(CameraError, match=r"a\.m4a has no video, only sound and its cover"):
        Camera(str(path))


def test_a_text_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("cameras of the north side\n" * 20)
    with pytest.raises(CameraError, match=r"a\.txt has no video"):
        Camera(str(tmp_path / "a.txt"))


def test_a_video_of_4x3_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 4, 3, "bgr0"
        image = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    (frame,) = frames_of(path)
    assert np.array_equal(frame.image, image)
