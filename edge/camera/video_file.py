"""A video file that is read to its end, past frames that cannot be decoded."""

from __future__ import annotations

import cv2
import numpy as np

from edge.camera.capture import Capture
from edge.camera.source import CameraError, UnreadableFrame
from edge.samples.sample import Image

RETRIES = 8
"""Grabs that are tried again after a failed one: FFmpeg finds the next sound frame by itself."""
DECODER_DELAY = 32
"""Frames by which a decoder with several threads may report a damaged frame too early."""
SEEKABLE = {".mp4", ".mov", ".m4v", ".mkv", ".webm"}
"""Containers with a time stamp for each frame, so that a seek lands where it says. In an .avi the
frames are counted, and a seek beyond damaged ones would give frames a second time."""
COUNTED = {".mp4", ".mov", ".m4v", ".avi"}
"""Containers whose header has the number of frames."""


class VideoFile(Capture):
    """A video file that is read to its end, past frames that cannot be decoded."""

    live = False

    def __init__(self, path: str, suffix: str, name: str) -> None:
        super().__init__(
            path,
            cv2.CAP_FFMPEG,
            name,
            "it is not a video that OpenCV can read, or of an unknown codec",
        )
        self._suffix = suffix
        self._count = max(0, round(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self._position = 0  # of the next frame
        self._last_ms = 0.0  # time stamp of the last sound frame
        self._grabbed = False  # the next frame is grabbed already
        self._suspicious = 0  # frames in which a gap of the time stamps still means a loss
        self._damaged = False
        self._ended = False

    def read(self) -> tuple[Image, None] | None:
        """Return the next image; None at the end of the file.

        Raises:
            UnreadableFrame: frames in between cannot be decoded.
            CameraError: no frame at all can be decoded.
        """
        if not self.skip():
            return None
        decoded, image = self._capture.retrieve()
        if not decoded:
            raise self._unreadable(self._position - 1, 1)
        return np.asarray(image, np.uint8), None

    def skip(self) -> bool:
        """Pass over the next frame; False at the end of the file."""
        if self._ended:
            return False
        lost = 0 if self._grabbed else self._grab()
        if lost is None:
            return self._end()
        self._grabbed = lost > 0  # the next call takes the frame after the lost ones
        if lost:
            begin, self._position = self._position, self._position + lost
            raise self._unreadable(begin, lost)
        self._position += 1
        return True

    def _grab(self) -> int | None:
        """Grab the next sound frame; returns how many were lost before it, None at the end."""
        lost: int | None = 0
        if not self._capture.grab():
            lost = self._resynchronize()
            if lost is None:
                lost = self._seek()
            self._damaged = self._damaged or lost is not None
            self._suspicious = DECODER_DELAY
        elif self._suspicious:
            self._suspicious -= 1
            lost = self._gap() or 0
        self._last_ms = self._capture.get(cv2.CAP_PROP_POS_MSEC) or self._last_ms
        return lost

    def _resynchronize(self) -> int | None:
        """Grab again; FFmpeg goes on with the next frame that it can decode."""
        for failed in range(1, RETRIES + 1):
            if self._capture.grab():
                gap = self._gap()
                return failed if gap is None else gap
        return None

    def _seek(self) -> int | None:
        """Seek beyond damaged frames, ever farther."""
        if self._suffix not in SEEKABLE or not self.fps:
            return None
        # OpenCV derives the number to seek to from the time stamps.
        next_number = round(self._last_ms * self.fps / 1e3) + (self._position > 0)
        step = 1
        while (target := next_number + step) < self._count:
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, target)
            if (
                round(self._capture.get(cv2.CAP_PROP_POS_FRAMES)) == target
                and self._capture.grab()
                and (gap := self._gap())
            ):
                return gap
            step += max(1, step // 4)
        return None

    def _gap(self) -> int | None:
        """Frames between the last sound one and the grabbed one by their time stamps; None without
        time stamps."""
        elapsed = self._capture.get(cv2.CAP_PROP_POS_MSEC) - self._last_ms
        if elapsed <= 0 or not self.fps:
            return None
        return max(0, round(elapsed * self.fps / 1e3) - (self._position > 0))

    def _end(self) -> bool:
        self._ended = True
        if self._position == 0:
            raise CameraError(
                f"cannot decode a frame of {self.name} (codec {self._codec()})",
                "convert it: ffmpeg -i IN -c:v libx264 OUT.mp4",
            )
        if missing := self._missing():
            raise UnreadableFrame(
                f"{self.name}: {missing} of {self._count} frames are damaged or missing", missing
            )
        return False

    def _missing(self) -> int:
        """How many frames the header counts beyond the last one."""
        if self._suffix not in COUNTED:
            return 0
        missing = self._count - self._position
        # Edit lists leave out some frames of a sound file.
        tolerated = 0 if self._damaged else max(self.fps, 0.05 * self._count)
        return missing if missing > tolerated else 0

    def _unreadable(self, begin: int, count: int) -> UnreadableFrame:
        numbers = f"frame {begin}" if count == 1 else f"frames {begin} to {begin + count - 1}"
        return UnreadableFrame(f"{self.name}: {numbers} cannot be decoded", count)

    def _codec(self) -> str:
        code = int(self._capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
        return code.to_bytes(4, "little").decode("ascii", "replace").strip("\0 ") or "unknown"
