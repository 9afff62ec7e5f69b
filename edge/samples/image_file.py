"""Image files: which ones a folder holds, and their pixels; a damaged file is refused."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge.samples.image_damage import JPEG, find_damage, find_zeros
from edge.samples.sample import Image, SampleError

# OpenCV prints what fails by itself; version 5 has moved the function.
(getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel)(0)

IMAGE_SUFFIXES = {
    ".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm",
}  # fmt: skip

PNM = re.compile(rb"P[2356]" + 3 * rb"(?:\s+(?:#[^\n]*\n)?)+(\d+)")
"""The header of a PGM or PPM: width, height, and the value of white."""


def images_in(folder: Path) -> list[Path]:
    """List the image files below a folder, sorted; links to folders are followed, loops are not."""
    return sorted(_images_below(folder, ()))


def _images_below(folder: Path, above: tuple[str, ...]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        entries = list(os.scandir(folder))
    except OSError:  # what cannot be listed holds no images
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_file(follow_symlinks=False):  # known without asking the disk
            if is_image_name(entry.name):
                yield folder / entry.name
        elif os.path.isdir(entry.path):
            yield from _images_below(folder / entry.name, (*above, real))
        # A link to nothing is to be named; a pipe would be read for ever.
        elif is_image_name(entry.name) and (
            os.path.isfile(entry.path) or not os.path.exists(entry.path)
        ):
            yield folder / entry.name


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
    image = decode_frame(data)
    if image.dtype == np.uint8:
        return np.asarray(image, np.uint8)
    if white := _white_of_pnm(data):
        return np.asarray((image * (255 / white)).round(), np.uint8)
    if image.dtype == np.uint16 and (image.max() >= 1 << 15 or not image.any()):
        return (image >> 8).astype(np.uint8)
    raise SampleError(
        f"its values are {image.dtype} from {image.min():g} to {image.max():g}, a range that is"
        " not known",
        "convert it to 8 bits, all images of the camera by the same range",
    )


def decode_frame(data: bytes) -> npt.NDArray[Any]:
    """Decode the bytes of a photograph.

    Returns:
        [H, W, 3] BGR, turned as its EXIF data say; uint8, or the type that it is stored with.
    """
    image = _decode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if damage := find_zeros(data, image):
        raise SampleError(damage)
    white = _white_of_pnm(data)
    # OpenCV takes 255 for the white of a binary file.
    if image.dtype == np.uint8 and data.startswith((b"P5", b"P6")) and white not in (0, 255):
        return np.asarray((image * (255 / white)).round(), np.uint8)
    return image


def _white_of_pnm(data: bytes) -> int:
    """The value of white that a PGM or PPM states; 0 of other files."""
    header = PNM.match(data[:1000])
    return int(header[3]) if header else 0


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
        unknown = flags != cv2.IMREAD_UNCHANGED and cv2.imdecode(
            np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED
        )
        if isinstance(unknown, np.ndarray) and unknown.dtype.kind == "f":
            raise SampleError(f"its values are {unknown.dtype}, expected 8 or 16 bits")
        raise SampleError("it is not an image, or a damaged one")
    return np.asarray(image)
