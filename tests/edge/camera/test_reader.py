"""Sources of 16 bits: refused without a range, converted by one range with it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest

from edge.camera import capture
from edge.camera.camera import Camera
from edge.camera.capture import Capture
from edge.camera.reader import resolve_range
from edge.camera.source import Frame
from edge.camera.value_range import ValueRange, parse_range
from edge.errors import UsageError

LOW, HIGH = 7000, 8000


def thermal(number: int) -> np.ndarray:
    """uint16 [48, 64]: a ramp from 7200 to 7600; from the third frame on a warm square of 7950."""
    values = np.tile(np.linspace(7200, 7600, 64), (48, 1))
    if number >= 2:
        values[10:30, 20:30] = 7950
    return values.round().astype(np.uint16)


def write_folder(folder: Path, suffix: str) -> Path:
    folder.mkdir()
    for number in range(5):
        cv2.imwrite(str(folder / f"{number}{suffix}"), thermal(number))
    return folder


def write_video(path: Path, pixels: str) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        for number in range(5):
            frame = av.VideoFrame(64, 48, pixels)
            rows = np.zeros((48, frame.planes[0].line_size // 2), "<u2")
            rows[:, :64] = thermal(number) >> (16 - int(pixels[4:6]))
            frame.planes[0].update(rows.tobytes())
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


SOURCES = {
    "png": lambda place: write_folder(place / "png", ".png"),
    "tiff": lambda place: write_folder(place / "tiff", ".tiff"),
    "pgm": lambda place: write_folder(place / "pgm", ".pgm"),
    "gray16": lambda place: write_video(place / "a.mkv", "gray16le"),
}


def frames_of(source: Path, value_range: ValueRange | None) -> list[np.ndarray]:
    images = []
    with Camera(str(source), value_range=value_range) as camera:
        while not camera.ended:
            item = camera.take()
            if isinstance(item, Frame):
                images.append(item.image)
    return images


@pytest.mark.parametrize("kind", SOURCES)
def test_16_bits_are_refused_by_name_and_converted_by_a_range(kind: str, tmp_path: Path) -> None:
    source = SOURCES[kind](tmp_path)
    with pytest.raises(UsageError, match=rf"{source}.* 16-bit values \(7200 to 7600\).*--range"):
        frames_of(source, None)
    images = frames_of(source, ValueRange(LOW, HIGH))
    assert len(images) == 5
    for number, image in enumerate(images):
        assert (image.dtype, image.shape) == (np.uint8, (48, 64, 3))
        expected = (thermal(number).astype(float) - LOW) * 255 / (HIGH - LOW)
        assert np.abs(image - expected[..., None]).max() <= 0.51


@pytest.mark.parametrize("pixels", ["gray10le", "gray12le"])
def test_video_of_10_and_12_bits_keeps_its_values(pixels: str, tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mkv", pixels)
    shift = 16 - int(pixels[4:6])
    (image, *_) = frames_of(source, ValueRange(LOW >> shift, HIGH >> shift))
    level = 255 / ((HIGH >> shift) - (LOW >> shift))
    assert int(image[0, 0, 0]) == pytest.approx(51, abs=level)
    assert int(image[0, -1, 0]) == pytest.approx(153, abs=level)


@pytest.mark.parametrize("kind", SOURCES)
def test_auto_measures_a_range_once(kind: str, tmp_path: Path) -> None:
    chosen = resolve_range("auto", str(SOURCES[kind](tmp_path)), "cam")
    assert chosen is not None
    assert 6700 < chosen.low < 7100  # room for what is colder
    assert 7950 < chosen.high < 8500  # and for what is warmer
    assert parse_range(str(chosen)) == chosen


def test_a_source_of_8_bits_has_no_range(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((8, 8, 3), np.uint8))
    for make in (
        lambda: frames_of(tmp_path, ValueRange(0, 9)),
        lambda: resolve_range("auto", str(tmp_path), "cam"),
    ):
        with pytest.raises(UsageError, match="--range has no effect on"):
            make()


@pytest.mark.parametrize("text", ["", "7000", "8000:7000", "7:7", "-1:5", "0:70000", "a:b"])
def test_a_wrong_range_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected LOW:HIGH in 0 to 65535, or auto"):
        resolve_range(text, "cam", "cam")


def test_no_option_is_no_range() -> None:
    assert resolve_range(None, "nowhere", "cam") is None


def test_a_thermal_device_keeps_its_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV would reduce Y16 to 8 bits."""
    told: list[tuple[int, float]] = []
    device = SimpleNamespace(
        isOpened=lambda: True,
        get=lambda key: {
            cv2.CAP_PROP_FPS: 9.0,
            cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*"Y16 ")),
        }[key],
        set=lambda *words: told.append(words),
        grab=lambda: True,
        retrieve=lambda: (True, thermal(0)[..., None]),
    )
    monkeypatch.setattr(capture.cv2, "VideoCapture", lambda *_: device)
    read = Capture(0, cv2.CAP_V4L2, "v4l2://0", "").read()
    assert told == [(cv2.CAP_PROP_CONVERT_RGB, 0)]
    assert read is not None
    assert (read.image.shape, read.image.dtype) == ((48, 64), np.uint16)
