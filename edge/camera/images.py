"""Image files as a source of frames."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.camera.source import Decoded, UnreadableFrame
from edge.samples.image_file import decode_frame, read_bytes
from edge.samples.sample import SampleError


class Images:
    """Image files in their order."""

    live, fps = False, 0.0

    def __init__(self, files: list[Path]) -> None:
        self._files = iter(files)

    def read(self) -> Decoded | None:
        """Return the next image; None after the last file.

        Raises:
            UnreadableFrame: the file is not an image, or not a whole one.
        """
        file = next(self._files, None)
        if file is None:
            return None
        start = time.perf_counter()
        try:
            image = read_frame(file)
        except SampleError as error:
            raise UnreadableFrame(str(error)) from error
        return Decoded(image, decode_ms=1e3 * (time.perf_counter() - start))

    def skip(self) -> bool:
        """Pass over the next file."""
        return next(self._files, None) is not None

    def close(self) -> None:
        """Nothing is held open."""


def read_frame(path: Path) -> npt.NDArray[Any]:
    """Read an image file as a frame of a camera.

    Returns:
        uint8 [H, W, 3] BGR, turned as its EXIF data say; a file of 16 bits as it is stored: uint16
        [H, W] if it is grey, else [H, W, 3].

    Raises:
        SampleError: the file is missing, damaged, or not an image.
    """
    try:
        image = decode_frame(read_bytes(path))
        if image.dtype not in (np.uint8, np.uint16):
            raise SampleError(f"its values are {image.dtype}, expected 8 or 16 bits")
    except SampleError as error:
        raise SampleError(f"cannot read an image from {path}: {error.message}") from None
    if image.dtype == np.uint16 and (image[..., :1] == image).all():
        return np.asarray(image[..., 0])
    return np.asarray(image)
