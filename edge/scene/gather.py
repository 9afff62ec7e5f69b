"""Images of a source that its background is estimated from."""

from __future__ import annotations

import time
from collections.abc import Callable

from edge.camera.address import redact_address
from edge.camera.camera import Camera
from edge.camera.reader import open_reader
from edge.camera.source import (
    CameraError,
    CameraEvent,
    Frame,
    Reader,
    UnreadableFrame,
)
from edge.camera.value_range import ValueRange
from edge.samples.sample import Image

RECORDING_S, LIVE_S = 60.0, 10.0
"""Seconds of a recording and of a live source that the background is made of."""
WAIT_S = 0.2
"""Longest wait for a live source without calling back."""
LEAST, MOST = 9, 61
"""Number of images."""
BYTES = 400_000_000
"""Memory for the images that are held."""


class Thinned:
    """Images of a series of unknown length, evenly spread: every n-th, with n doubled when full."""

    def __init__(self) -> None:
        self.images: list[Image] = []
        self._stride = 1
        self._next = 0

    def wants_next(self) -> bool:
        """Whether the next image of the series is to be added; counts it."""
        number, self._next = self._next, self._next + 1
        return number % self._stride == 0

    def add(self, image: Image) -> None:
        self.images.append(image)
        if len(self.images) > _capacity(image):
            self.images = self.images[::2]
            self._stride *= 2


def _capacity(image: Image) -> int:
    # Half of one more than 2 * LEAST - 2 is LEAST.
    return max(2 * LEAST - 2, min(MOST, BYTES // image.nbytes))


Progress = Callable[[], None]
"""Called for each frame that was read or passed over, and a few times a second while a live source
gives none; what it raises ends the gathering."""
Unreadable = Callable[[str], None]
"""Called with a message for frames that cannot be decoded."""


def gather_images(
    url: str,
    seconds: float | None = None,
    value_range: ValueRange | None = None,
    on_frame: Progress = lambda: None,
    on_unreadable: Unreadable = lambda message: None,
) -> list[Image]:
    """Gather images of the first seconds of a source, evenly spread.

    A recording is read as fast as possible, a live source in real time.

    Args:
        url: address or path of the source.
        seconds: time in the source; None is 60 for a recording, 10 for a live source. In a folder
            of images each counts as a second.
        value_range: range of a source with 16-bit values.
        on_frame: as of Progress.
        on_unreadable: called for frames that cannot be decoded.

    Returns:
        At most MOST images, fewer where they do not fit into BYTES of memory, at least LEAST where
        the source has them.
    """
    with Camera(url, value_range=value_range) as camera:
        if camera.live:
            return _gather_live(camera, seconds or LIVE_S, on_frame)
    reader = open_reader(url, value_range)
    try:
        return _gather_recording(
            reader, redact_address(url), seconds or RECORDING_S, on_frame, on_unreadable
        )
    finally:
        reader.close()


def _gather_live(camera: Camera, seconds: float, on_frame: Progress) -> list[Image]:
    """Images of `seconds` from the first frame on, which a stream takes a while to give."""
    images: list[Image] = []
    end, due, interval = time.monotonic() + max(seconds, LIVE_S), 0.0, 0.0
    while (now := time.monotonic()) < end and not camera.ended:
        camera.wake.wait(min(end - now, WAIT_S))
        camera.wake.clear()
        on_frame()
        item = camera.take()
        while isinstance(item, CameraEvent):
            item = camera.take()
        if isinstance(item, Frame) and not images:
            end = item.arrived + seconds
        if isinstance(item, Frame) and item.arrived >= due:
            interval = interval or seconds / _capacity(item.image)
            due = item.arrived + interval
            images.append(item.image)
    if not images:
        raise CameraError(f"{camera.name} gave no frame in {max(seconds, LIVE_S):g} s")
    return images


def _gather_recording(
    reader: Reader, name: str, seconds: float, on_frame: Progress, on_unreadable: Unreadable
) -> list[Image]:
    thinned = Thinned()
    # Without a frame rate (a folder of images) each image is a second.
    left = max(1, round(seconds * (reader.fps or 1)))
    while left > 0:
        try:
            if not thinned.wants_next():
                if not reader.skip():
                    break
            elif (read := reader.read()) is None:
                break
            else:
                thinned.add(read.image)
            left -= 1
        except UnreadableFrame as error:
            on_unreadable(str(error))
            left -= error.count
        on_frame()
    if not thinned.images:
        raise CameraError(f"no frame of {name} could be read")
    return thinned.images
