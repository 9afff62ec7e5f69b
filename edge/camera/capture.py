"""A device that OpenCV opens, as a live source."""

from __future__ import annotations

import time

import cv2
import numpy as np

from edge.camera.source import CameraError, Decoded

DEEP = {"Y16 ", "Y12 ", "Y10 "}
"""Pixel formats of thermal cameras. OpenCV reduces them to 8 bits unless it is told not to."""


class Capture:
    """Frames by cv2.VideoCapture.

    Args:
        source: path, pipeline or device number.
        api: backend of OpenCV, such as cv2.CAP_V4L2.
        name: printable name of the source.
        reason: what is probably wrong if it does not open.

    Raises:
        CameraError: OpenCV cannot open it.
    """

    live = True

    def __init__(self, source: str | int, api: int, name: str, reason: str) -> None:
        self.name = name
        self._capture = cv2.VideoCapture(source, api)
        if not self._capture.isOpened():
            raise CameraError(f"cannot open {name}: {reason}")
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0.5 <= fps <= 240 else 0.0
        code = int(self._capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
        if code.to_bytes(4, "little").decode("latin-1") in DEEP:
            self._capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)

    def read(self) -> Decoded | None:
        """Return the next frame; None if the device is lost."""
        if not self._capture.grab():
            return None
        start = time.perf_counter()
        decoded, image = self._capture.retrieve()
        if not decoded:
            return None
        image = np.asarray(image)
        if image.dtype == np.uint16 and image.ndim == 3 and image.shape[2] == 1:
            image = image[..., 0]
        return Decoded(image, decode_ms=1e3 * (time.perf_counter() - start))

    def skip(self) -> bool:
        """Pass over the next frame."""
        return bool(self._capture.grab())

    def close(self) -> None:
        """Release the device."""
        self._capture.release()
