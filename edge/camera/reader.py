"""Open a source as frames of 8 bits, and find the range of one with 16."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from edge.camera import schemes
from edge.camera.address import STREAMS, redact_address
from edge.camera.schemes.stream import check_address
from edge.camera.source import (
    SCHEMES,
    CameraError,
    Decoded,
    Reader,
    UnreadableFrame,
    open_stored,
)
from edge.camera.value_range import AUTO, ValueRange, parse_range, range_of, to_uint8

IMAGES, RECORDING_S = 32, 60.0
"""Images that `auto` looks at, evenly spread over the first seconds of a recording."""


def open_reader(url: str, value_range: ValueRange | None = None) -> Reader:
    """Open a source by its address (docs/cameras.md); an address without scheme is a path.

    Args:
        url: address or path.
        value_range: range of a 16-bit source that becomes 0 to 255.

    Returns:
        A reader of uint8 [H, W, 3] BGR; it raises UsageError where `value_range` is missing or has
        no effect.

    Raises:
        CameraError: the source cannot be opened.
        UsageError: the address is wrong.
    """
    return RangedReader(open_stored(url), redact_address(url), value_range)


def check_source(url: str, value_range: str | None = None) -> None:
    """Raise what is wrong with a source, as far as it can be known without connecting to anything.

    Of a file or a folder the first frame is read, of a stream the address is checked.

    Args:
        url: address or path.
        value_range: as of `--range`.

    Raises:
        CameraError: there is no such file, or it is no video or image.
        UsageError: the address or the range is wrong, or the source has other bits.
    """
    schemes.load()
    fixed = None if value_range in (None, AUTO) else parse_range(str(value_range))
    scheme, mark, _ = url.partition("://")
    if mark and scheme.lower() in STREAMS:
        check_address(url)
    if mark and scheme.lower() in SCHEMES and scheme.lower() != "file":
        return
    reader = open_stored(url)
    try:
        read = reader.read()
    except (CameraError, UnreadableFrame):  # damage is counted later
        return
    finally:
        reader.close()
    if read is None:
        return
    if value_range == AUTO:
        range_of([read.image], redact_address(url))
    else:
        to_uint8(read.image, redact_address(url), fixed)


class RangedReader:
    """A reader whose 16-bit frames are converted by one range.

    Args:
        reader: any reader.
        name: printable name of the source.
        value_range: range of its values; None refuses 16-bit frames.
    """

    def __init__(self, reader: Reader, name: str, value_range: ValueRange | None) -> None:
        self._reader, self._name, self._range = reader, name, value_range

    @property
    def live(self) -> bool:
        """As of the reader."""
        return self._reader.live

    @property
    def fps(self) -> float:
        """As of the reader."""
        return self._reader.fps

    def read(self) -> Decoded | None:
        """Return the next frame, uint8 [H, W, 3] BGR; None at the end.

        Raises:
            UnreadableFrame: the next frame cannot be decoded.
            UsageError: a 16-bit frame without a range, or an 8-bit frame with one.
        """
        read = self._reader.read()
        if read is None:
            return None
        return read._replace(image=to_uint8(read.image, self._name, self._range))

    def skip(self) -> bool:
        """Pass over the next frame."""
        return self._reader.skip()

    def close(self) -> None:
        """Release the source."""
        self._reader.close()


def resolve_range(text: str | None, url: str, name: str) -> ValueRange | None:
    """Return the range that `--range` means for a source; None without the option.

    Args:
        text: `LOW:HIGH`, `auto`, or None.
        url: address or path of the source, which `auto` measures.
        name: printable name of the source.

    Raises:
        UsageError: the text is wrong, or the source has 8 bits.
        CameraError: the source cannot be read.
    """
    if text is None:
        return None
    return measure_range(url, name) if text == AUTO else parse_range(text)


def measure_range(url: str, name: str) -> ValueRange:
    """Choose the range for a source by its first images; errors as of `open_reader`.

    Args:
        url: address or path of the source.
        name: printable name of the source.
    """
    images: list[npt.NDArray[Any]] = []
    reader = open_stored(url)
    # Without a frame rate (a folder of images) each image is a second.
    most = IMAGES if reader.live else RECORDING_S * (reader.fps or 1)
    try:
        number, stride = 0, 1
        while number < most:
            try:
                if number % stride:
                    if not reader.skip():
                        break
                elif (read := reader.read()) is None:
                    break
                else:
                    images.append(read.image)
                number += 1
            except UnreadableFrame as error:
                number += error.count
            if len(images) > IMAGES:
                images, stride = images[::2], 2 * stride
    finally:
        reader.close()
    if not images:
        raise CameraError(f"no frame of {name} could be read")
    return range_of(images, name)
