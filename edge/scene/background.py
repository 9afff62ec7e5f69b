"""The background of a scene: the median of frames through which people walk."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from edge.camera.address import redact_address
from edge.camera.camera import Camera
from edge.camera.source import CameraError, CameraEvent, Frame, UnreadableFrame, open_reader
from edge.samples.sample import Image

RECORDING_S, LIVE_S = 60.0, 10.0
"""Seconds of a recording and of a live source that the background is made of."""
LEAST, MOST = 9, 61
"""Images that the median is made of."""
BYTES = 400_000_000
"""Memory for the images that are held."""
REST = 0.6
"""Share of the images, those with the least motion, that the median is made of."""
MOTION_SCALE = 8
"""Reduction of the images whose motion is compared."""


def median_background(images: Sequence[Image]) -> Image:
    """Compute the temporal median of the images with the least motion.

    A pixel is right if moving things cover it in less than half of these images. Someone who does
    not move at all becomes part of the background.

    Args:
        images: uint8 [H, W, 3] BGR, all of one size.

    Returns:
        uint8 [H, W, 3] BGR.
    """
    if not images:
        raise CameraError("no image to make a background of")
    if len(shapes := {image.shape for image in images}) > 1:
        sizes = ", ".join(sorted(f"{width}x{height}" for height, width, _ in shapes))
        raise CameraError(f"the images have several sizes ({sizes}), expected one")
    order = np.argsort(_motion(images), kind="stable")
    quiet = order[: max(min(LEAST, len(images)), round(REST * len(images)))]
    background = np.empty_like(images[0])
    rows = 64
    for top in range(0, background.shape[0], rows):
        strip = np.stack([images[i][top : top + rows] for i in quiet])
        background[top : top + rows] = np.median(strip, axis=0).round()
    return background


def _motion(images: Sequence[Image]) -> list[float]:
    """How much each image differs from its neighbours: a share of its pixels."""
    height, width = images[0].shape[:2]
    size = (max(1, round(width / MOTION_SCALE)), max(1, round(height / MOTION_SCALE)))
    small = [
        cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
        .astype(np.int16)
        for image in images
    ]  # fmt: skip
    steps = [float((np.abs(a - b) > 12).mean()) for a, b in itertools.pairwise(small)]
    padded = [*steps[:1], *steps, *steps[-1:]]
    return [a + b for a, b in itertools.pairwise(padded)] or [0.0]


class _Thinned:
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
"""Called for each frame that was read or passed over."""
Unreadable = Callable[[str], None]
"""Called with a message for frames that cannot be decoded."""


def gather_images(
    url: str,
    seconds: float | None = None,
    on_frame: Progress = lambda: None,
    on_unreadable: Unreadable = lambda message: None,
) -> list[Image]:
    """Gather images of the first seconds of a source, evenly spread.

    A recording is read as fast as possible, a live source in real time.

    Args:
        url: address or path of the source.
        seconds: time in the source; None is 60 for a recording, 10 for a live source. In a folder
            of images each counts as a second.
        on_frame: called for each frame.
        on_unreadable: called for frames that cannot be decoded.

    Returns:
        At most MOST images, fewer where they do not fit into BYTES of memory, at least LEAST where
        the source has them.
    """
    with Camera(url) as camera:
        if camera.live:
            return _gather_live(camera, seconds or LIVE_S, on_frame)
    return _gather_recording(url, seconds or RECORDING_S, on_frame, on_unreadable)


def _gather_live(camera: Camera, seconds: float, on_frame: Progress) -> list[Image]:
    images: list[Image] = []
    end, due, interval = time.monotonic() + seconds, 0.0, 0.0
    while (now := time.monotonic()) < end and not camera.ended:
        camera.wake.wait(end - now)
        camera.wake.clear()
        item = camera.take()
        while isinstance(item, CameraEvent):
            item = camera.take()
        if isinstance(item, Frame) and item.arrived >= due:
            interval = interval or seconds / _capacity(item.image)
            due = item.arrived + interval
            images.append(item.image)
            on_frame()
    if not images:
        raise CameraError(f"{camera.name} gave no frame in {seconds:g} s")
    return images


def _gather_recording(
    url: str, seconds: float, on_frame: Progress, on_unreadable: Unreadable
) -> list[Image]:
    thinned = _Thinned()
    reader = open_reader(url)
    try:
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
                    thinned.add(read[0])
                left -= 1
            except UnreadableFrame as error:
                on_unreadable(str(error))
                left -= error.count
            on_frame()
    finally:
        reader.close()
    if not thinned.images:
        raise CameraError(f"no frame of {redact_address(url)} could be read")
    return thinned.images
