"""Image files: which ones a folder holds, and their pixels; a truncated file is refused.

OpenCV before version 5 returns the readable part of a truncated JPEG, grey below it, without an
error. So the bytes are checked before they are decoded.
"""

from __future__ import annotations

import zlib
from glob import iglob
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge.samples.sample import Image, SampleError

IMAGE_SUFFIXES = {
    ".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm",
}  # fmt: skip

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"


def images_in(folder: Path) -> list[Path]:
    """List the image files below a folder, sorted; links to folders are followed."""
    below = (folder / name for name in iglob("**/*", root_dir=folder, recursive=True))
    return sorted(path for path in below if is_image_name(path.name))


def is_image_name(name: str) -> bool:
    """Tell whether a file's name is an image's; hidden files (`._a.jpg` of macOS) are none."""
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES


def read_image(path: Path) -> Image:
    """Read an image file.

    Args:
        path: The file.

    Returns:
        uint8 [H, W, 3] BGR. Images of 16 bits are taken for 0..65535.

    Raises:
        SampleError: The file is missing, truncated, no image, or of a range that is unknown.
    """
    try:
        return decode_image(read_bytes(path))
    except SampleError as error:
        raise SampleError(
            f"cannot read an image from {path}: {error.message}", error.hint
        ) from None


def read_stored(path: Path | str) -> npt.NDArray[Any]:
    """Read an image file as it is stored; SampleError as of `read_image`."""
    try:
        return decode_stored(read_bytes(Path(path)))
    except SampleError as error:
        raise SampleError(
            f"cannot read an image from {path}: {error.message}", error.hint
        ) from None


def read_bytes(path: Path) -> bytes:
    """Read a file; SampleError where that fails."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise SampleError(error.strerror or str(error)) from error


def decode_image(data: bytes) -> Image:
    """Decode the bytes of an image file to uint8 [H, W, 3] BGR; errors as of `read_image`."""
    image = _decode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if image.dtype == np.uint8:
        return np.asarray(image, np.uint8)
    if image.dtype == np.uint16 and (image.max() >= 1 << 15 or not image.any()):
        return (image >> 8).astype(np.uint8)
    raise SampleError(
        f"its values are {image.dtype} from {image.min():g} to {image.max():g}, a range that is"
        " not known",
        "convert it to 8 bits, all images of the camera by the same range",
    )


def decode_stored(data: bytes) -> npt.NDArray[Any]:
    """Decode an image with the channels and the type that it is stored with; [H, W] or [H, W, C].

    A JPEG is turned as its EXIF data say, like frames are.
    """
    turned = data.startswith(JPEG)
    return _decode(
        data, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH if turned else cv2.IMREAD_UNCHANGED
    )


def _decode(data: bytes, flags: int) -> npt.NDArray[Any]:
    if damage := find_damage(data):
        raise SampleError(damage)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise SampleError(f"OpenCV cannot decode it: {error.err}") from error
    if image is None:
        raise SampleError("it is not an image, or a damaged one")
    return np.asarray(image)


def find_damage(data: bytes) -> str:
    """Say how the bytes of an image file are damaged; empty where they look whole.

    A JPEG must have its end marker, a PNG all its chunks with their checksums, a BMP or WebP the
    size that its header states.
    """
    if not data:
        return "it is empty"
    if data.startswith(JPEG):
        return _damage_of_jpeg(data)
    if data.startswith(PNG):
        return _damage_of_png(data)
    stated = 0
    if data.startswith(b"BM"):
        stated = int.from_bytes(data[2:6], "little")
    elif data.startswith(b"RIFF"):
        stated = int.from_bytes(data[4:8], "little") + 8
    if stated > len(data):
        return f"it is truncated: {len(data)} of {stated} bytes"
    return ""


def _damage_of_jpeg(data: bytes) -> str:
    """Find the start of the pixels behind the segments (a thumbnail in one has an end marker)."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        if data[position + 1] == 0xFF:  # fill byte
            position += 1
            continue
        if data[position + 1] == 0xDA:
            whole = data.rfind(b"\xff\xd9", position) > 0
            return "" if whole else "it is truncated: a JPEG without its end marker"
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return "it is truncated: a JPEG without pixels"


def _damage_of_png(data: bytes) -> str:
    position = len(PNG)
    while position + 12 <= len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        end = position + 8 + size
        if end + 4 > len(data):
            break
        critical = kind[:1].isupper()
        if critical and zlib.crc32(data[position + 4 : end]) != int.from_bytes(
            data[end : end + 4], "big"
        ):
            return f"it is damaged: the PNG chunk {kind.decode('latin-1')} has a wrong checksum"
        if kind == b"IEND":
            return ""
        position = end + 4
    return "it is truncated: a PNG without its end"
