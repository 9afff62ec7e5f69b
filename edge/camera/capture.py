"""A source that OpenCV opens, as a live one: a stream or a device."""

from __future__ import annotations

import os

import cv2
import numpy as np

from edge.camera.source import CameraError
from edge.samples.sample import Image

# OpenCV and FFmpeg print the addresses that they cannot open, with their passwords.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
# Over UDP a busy network tears frames apart.
os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

TIMEOUT_MS = 5000
"""A stream without a frame for this long is lost."""


class Capture:
    """Frames by cv2.VideoCapture.

    Args:
        source: path, address or device number.
        api: backend of OpenCV, such as cv2.CAP_FFMPEG.
        name: printable name of the source.
        reason: what is probably wrong if it does not open.

    Raises:
        CameraError: OpenCV cannot open it.
    """

    live = True

    def __init__(self, source: str | int, api: int, name: str, reason: str) -> None:
        self.name = name
        timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, TIMEOUT_MS]
        timeouts += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, TIMEOUT_MS]
        self._capture = cv2.VideoCapture(source, api, timeouts if api == cv2.CAP_FFMPEG else [])
        if not self._capture.isOpened():
            raise CameraError(f"cannot open {name}: {reason}")
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0.5 <= fps <= 240 else 0.0

    def read(self) -> tuple[Image, None] | None:
        """Return the next image; None if the stream is lost."""
        decoded, image = self._capture.read()
        return (np.asarray(image, np.uint8), None) if decoded else None

    def skip(self) -> bool:
        """Pass over the next frame."""
        return bool(self._capture.grab())

    def close(self) -> None:
        """Release the source."""
        self._capture.release()
