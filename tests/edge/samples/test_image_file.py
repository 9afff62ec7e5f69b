from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.samples.image_file import decode_image, find_damage, images_in, read_image
from edge.samples.sample import SampleError


def encoded(extension: str, image: np.ndarray | None = None) -> bytes:
    if image is None:
        rng = np.random.default_rng(0)
        image = cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (160, 120))
    return bytes(cv2.imencode(extension, image)[1].tobytes())


@pytest.mark.parametrize("extension", [".jpg", ".png", ".bmp", ".webp", ".tif", ".ppm"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.97])
def test_a_truncated_image_is_refused(extension: str, share: float, tmp_path: Path) -> None:
    """OpenCV before 5 returns a truncated JPEG half grey."""
    data = encoded(extension)
    assert decode_image(data).shape == (120, 160, 3)
    path = tmp_path / f"a{extension}"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(SampleError, match=f"cannot read an image from {path}: "):
        read_image(path)


def test_the_end_of_a_thumbnail_is_not_the_end_of_a_jpeg() -> None:
    data = encoded(".jpg")
    thumbnail = b"\xff\xe1" + (2 + 6 + len(data)).to_bytes(2, "big") + b"Exif\0\0" + data
    whole = data[:2] + thumbnail + data[2:]
    assert find_damage(whole) == ""
    assert "end marker" in find_damage(whole[:-100])
    assert find_damage(data + bytes(64)) == ""  # padded
    assert "end marker" in find_damage(data[:-500] + bytes(500))  # a download that stopped


def test_a_changed_byte_of_a_png_is_found() -> None:
    data = bytearray(encoded(".png"))
    data[len(data) // 2] ^= 1
    assert "IDAT has a wrong checksum" in find_damage(bytes(data))


def test_sixteen_bits_are_read_only_where_their_range_is_known() -> None:
    full = np.full((4, 4), 40000, np.uint16)
    assert (decode_image(encoded(".png", full)) == 40000 >> 8).all()
    thermal = np.linspace(7000, 8000, 16).reshape(4, 4).astype(np.uint16)
    with pytest.raises(SampleError, match="uint16 from 7000 to 8000, a range that is not known"):
        decode_image(encoded(".png", thermal))


def test_hidden_files_are_no_images(tmp_path: Path) -> None:
    for name in ("a.JPG", "b.tiff", "._a.jpg", "c.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in images_in(tmp_path)] == ["a.JPG", "b.tiff"]
