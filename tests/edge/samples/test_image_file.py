from __future__ import annotations

import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.samples.image_damage import find_damage
from edge.samples.image_file import decode_image, images_in, read_image
from edge.samples.sample import SampleError
from edge.samples.sequences import folders_of


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


def tiff(order: str, image: np.ndarray) -> bytes:
    """A TIFF without compression, its directory before its pixels as most programs write it."""
    height, width = image.shape
    pixels = image.astype(image.dtype.newbyteorder(order)).tobytes()
    bits, kind = 8 * image.itemsize, {"u": 1, "f": 3}[image.dtype.kind]
    entries = [
        (256, 3, width), (257, 3, height), (258, 3, bits), (259, 3, 1), (262, 3, 1), (273, 4, 134),
        (277, 3, 1), (278, 3, height), (279, 4, len(pixels)), (339, 3, kind),
    ]  # fmt: skip
    directory = struct.pack(f"{order}H", len(entries))
    for tag, size, value in entries:
        field = struct.pack(f"{order}H2x" if size == 3 else f"{order}I", value)
        directory += struct.pack(f"{order}HHI", tag, size, 1) + field
    header = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    return header + directory + bytes(4) + pixels


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_tiff_must_hold_its_strips(order: str, kind: type, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, np.iinfo(kind).max, (48, 64), kind)
    data = tiff(order, image)
    shown = image if kind is np.uint8 else image >> 8
    assert np.array_equal(decode_image(data)[..., 1], shown)
    with pytest.raises(SampleError, match=rf"truncated: \d+ of {len(data)} bytes"):
        decode_image(data[:-1])
    assert "truncated" in find_damage(data[:100])


def test_a_float_tiff_is_refused_by_its_type() -> None:
    with pytest.raises(SampleError, match="its values are float32, expected 8 or 16 bits"):
        decode_image(tiff("<", np.linspace(0, 1, 48, dtype=np.float32).reshape(6, 8)))


@pytest.mark.parametrize("extension", [".bmp", ".ppm", ".webp", ".tif"])
def test_a_photograph_that_ends_in_zeros_is_refused(extension: str) -> None:
    rng = np.random.default_rng(0)
    photo = cv2.resize(rng.integers(40, 256, (12, 16, 3), np.uint8), (161, 120))
    data = encoded(extension, photo) if extension != ".tif" else tiff("<", photo[..., 0])
    for share in (0.313, 0.62, 0.93):
        whole = int(share * len(data))
        with pytest.raises(SampleError, match=r"truncated: its last \d+ bytes are zero"):
            decode_image(data[:whole] + bytes(len(data) - whole))


@pytest.mark.parametrize("extension", [".bmp", ".ppm", ".webp"])
def test_black_borders_and_dark_pictures_are_whole(extension: str) -> None:
    rng = np.random.default_rng(0)
    photo = cv2.resize(rng.integers(40, 256, (12, 16, 3), np.uint8), (162, 120))
    down, across = np.mgrid[:120, :162]
    letterbox, fisheye, night = photo.copy(), photo.copy(), np.zeros_like(photo)
    letterbox[:20] = letterbox[-20:] = 0
    fisheye[(down - 60) ** 2 + (across - 81) ** 2 > 50**2] = 0
    night[50:60, 70:80] = 255
    for image in (photo, letterbox, fisheye, night, np.zeros_like(photo)):
        assert decode_image(encoded(extension, image)).shape == photo.shape
    for level in (0, 128, 255):
        image = np.full((1080, 1920, 3), level, np.uint8)
        assert decode_image(encoded(extension, image)).shape == image.shape


@pytest.mark.parametrize("white", [1, 15, 100, 255, 1023, 4095, 65535])
@pytest.mark.parametrize("form", ["P2", "P5"])
def test_the_white_of_a_pgm_is_the_one_that_it_states(form: str, white: int) -> None:
    grey = np.linspace(0, 1, 48).reshape(6, 8)
    stored = (grey * white).round().astype(int)
    header = f"{form}\n# a camera's\n8 6\n{white}\n".encode()
    if form == "P2":
        data = header + " ".join(map(str, stored.ravel())).encode() + b"\n"
    else:
        data = header + stored.astype(">u2" if white > 255 else "u1").tobytes()
    decoded = decode_image(data)[..., 0]
    assert np.abs(decoded - stored * (255 / white)).max() <= 1


def test_hidden_files_are_no_images(tmp_path: Path) -> None:
    for name in ("a.JPG", "b.tiff", "._a.jpg", "c.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in images_in(tmp_path)] == ["a.JPG", "b.tiff"]


def test_loops_of_links_and_pipes_end(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "1.png").touch()
    (tmp_path / "a" / "2.png").mkdir()
    (tmp_path / "a" / "b" / "up").symlink_to("..")
    (tmp_path / "a" / "self").symlink_to(".")
    (tmp_path / "a" / "gone.png").symlink_to("nowhere.png")
    (tmp_path / "c").symlink_to("a/b")
    os.mkfifo(tmp_path / "a" / "pipe.png")
    found = [path.relative_to(tmp_path).as_posix() for path in images_in(tmp_path)]
    assert found == ["a/b/1.png", "a/gone.png", "c/1.png", "c/up/gone.png"]
    assert [path.name for path in folders_of(tmp_path, lambda p: p.name == "b")] == ["b"]
    with pytest.raises(SampleError, match="No such file"):
        read_image(tmp_path / "a" / "gone.png")
