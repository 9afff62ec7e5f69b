"""A video file that plays up to the frame at which writing ended.

An .mkv, .avi or .webm plays even after `kill -9`. An .mp4 has its index at its end and plays only
once it was closed, which Ctrl-C, SIGTERM and a full disk do.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import cv2

from edge.errors import EdgeError, UsageError
from edge.samples.sample import Image

CODECS = {".mp4": "mp4v", ".mkv": "mp4v", ".avi": "MJPG", ".webm": "VP80"}
RESERVED = 16_000_000
"""Bytes of the disk that stay free: OpenCV does not report a write that fails."""
CHECK_EVERY = 15
"""Frames between two checks of the disk."""


def codec_of(path: Path) -> str:
    """Return the codec for the suffix of a video's name; UsageError if there is none."""
    codec = CODECS.get(path.suffix.lower())
    if codec is None:
        raise UsageError(f"--out {path}: expected a name that ends in {', '.join(CODECS)}")
    return codec


class Video:
    """A video file to write; `close` ends it.

    Args:
        path: file to write; the suffix chooses container and codec.
        size: (height, width) of the frames.
        fps: frames per second.

    Raises:
        EdgeError: the file cannot be written, or the disk is full; then the video is closed first.
    """

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        code = cv2.VideoWriter.fourcc(*codec_of(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.size, self.frames = path, size, 0
        self._check_disk()
        # FFmpeg has no fraction for all digits of 1000 / 15.
        rate = round(fps, 2)
        # An absolute path: FFmpeg takes what stands before a colon for a protocol.
        name = os.path.abspath(path)
        self._writer = cv2.VideoWriter(name, cv2.CAP_FFMPEG, code, rate, size[::-1])
        if not self._writer.isOpened():
            raise EdgeError(f"cannot write a video of {size[1]}x{size[0]} to {path}")

    def write(self, image: Image) -> None:
        """Append a frame, uint8 [H, W, 3] BGR of the video's size."""
        if self.frames % CHECK_EVERY == 0:
            try:
                self._check_disk()
            except EdgeError:
                self.close()
                raise
        self._writer.write(image)
        self.frames += 1

    def close(self) -> None:
        """End the file; a second call does nothing."""
        self._writer.release()

    def _check_disk(self) -> None:
        free = shutil.disk_usage(self.path.parent).free
        if free < RESERVED:
            raise EdgeError(
                f"{self.path.parent} has {free / 1e6:.0f} MB free, expected at least"
                f" {RESERVED / 1e6:.0f}; {self.path} plays up to here ({self.frames} frames)"
            )
