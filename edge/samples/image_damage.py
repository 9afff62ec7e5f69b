"""Damage of image files, found in their bytes.

Decoders return what is left of a truncated file, grey or black in the rest, without an error. So
the bytes are looked at before they are decoded, and their end once the pixels are known.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
TIFF = {b"II*\0": "<", b"MM\0*": ">"}
STRIPS = {273: 279, 324: 325}
"""TIFF tags of the offsets of strips or tiles, and of their sizes."""
NUMBERS = {3: "H", 4: "I"}
"""TIFF's types of whole numbers."""
ZEROS, PIXELS_PER_ZERO = 64, 4000
"""A WebP ends in at most one zero byte per 6,000 pixels: so measured of images of one colour."""


def find_damage(data: bytes) -> str:
    """Say how the bytes of an image file are damaged; empty where they look whole.

    A JPEG must have its end marker, a PNG all its chunks with their checksums, a TIFF all its
    strips, a BMP or WebP the size that its header states.
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
    elif data[:4] in TIFF:
        stated = _size_of_tiff(data, TIFF[data[:4]])
    if stated > len(data):
        return f"it is truncated: {len(data)} of {stated} bytes"
    return ""


def find_zeros(data: bytes, image: npt.NDArray[Any]) -> str:
    """Say that the file of a photograph ends in zeros, as after a download that stopped.

    Args:
        data: The file.
        image: Its pixels, [H, W, C].
    """
    if not data.startswith((b"RIFF", b"BM", b"P5", b"P6", *TIFF)):
        return ""
    zeros = len(data) - len(data.rstrip(b"\0"))
    height, width = image.shape[:2]
    if data.startswith(b"RIFF"):
        missing = zeros > ZEROS + height * width / PIXELS_PER_ZERO
    else:
        upwards = data.startswith(b"BM") and int.from_bytes(data[22:26], "little") < 1 << 31
        missing = zeros >= width and _breaks_off(image[::-1] if upwards else image)
    return f"it is truncated: its last {zeros} bytes are zero" if missing else ""


def _breaks_off(image: npt.NDArray[Any]) -> bool:
    """Whether the last rows have one colour that begins within a row, below one that it does not
    touch: no border of a picture looks like that."""
    filled = (image != image[-1, -1]).any(axis=2)
    rows = np.flatnonzero(filled.any(axis=1))
    if not len(rows) or rows[-1] in (0, len(image) - 1):
        return False
    last = rows[-1]
    return bool(not filled[last, -1] and filled[last - 1, -4:].all())


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


def _size_of_tiff(data: bytes, order: str) -> int:
    """Where the strips of the first image end; behind the file where its directory is missing."""
    try:
        directory = struct.unpack_from(f"{order}I", data, 4)[0]
        tags: dict[int, tuple[int, ...]] = {}
        for index in range(struct.unpack_from(f"{order}H", data, directory)[0]):
            place = directory + 2 + 12 * index
            tag, kind, count = struct.unpack_from(f"{order}HHI", data, place)
            if kind not in NUMBERS or tag not in {*STRIPS, *STRIPS.values()}:
                continue
            values = f"{order}{count}{NUMBERS[kind]}"
            inside = struct.calcsize(values) <= 4
            at = place + 8 if inside else struct.unpack_from(f"{order}I", data, place + 8)[0]
            tags[tag] = struct.unpack_from(values, data, at)
    except struct.error:
        return len(data) + 1
    return max(
        (
            offset + size
            for offsets, sizes in STRIPS.items()
            for offset, size in zip(tags.get(offsets, ()), tags.get(sizes, ()), strict=False)
        ),
        default=0,
    )
