"""A video file that plays up to wherever writing it ended.

Of the endings, .mkv, .avi and .webm outlive even `kill -9`; an .mp4 has its table of contents at
its end and plays only once it was closed, which Ctrl-C, SIGTERM and a full disk do.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2

from edge.errors import EdgeError, UsageError
from edge.samples.sample import Image

CODECS = {".mp4": "mp4v", ".mkv": "mp4v", ".avi": "MJPG", ".webm": "VP80"}
SPARE = 16_000_000
"""Bytes of the disk that are left free: OpenCV does not tell when a write fails."""
CHECKED = 15
"""Frames between two looks at the disk."""


def codec_of(path: Path) -> str:
    """The codec that goes with the ending of a video's name; UsageError if none does."""
    codec = CODECS.get(path.suffix.lower())
    if codec is None:
        raise UsageError(f"--out {path}: expected a name that ends in {', '.join(CODECS)}")
    return codec


class Video:
    """A video file of one size and rate; `close` ends it.

    Raises EdgeError where it cannot be written, or when the disk is full: then it is closed.
    """

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        code = cv2.VideoWriter.fourcc(*codec_of(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.size, self.frames = path, size, 0
        self._check_disk()
        # FFmpeg has no fraction for all digits of 1000 / 15.
        rate = round(fps, 2)
        self._writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, rate, size[::-1])
        if not self._writer.isOpened():
            raise EdgeError(f"cannot write a video to {path}")

    def write(self, picture: Image) -> None:
        """The next picture, uint8 [H, W, 3] BGR of the video's size."""
        if self.frames % CHECKED == 0:
            try:
                self._check_disk()
            except EdgeError:
                self.close()
                raise
        self._writer.write(picture)
        self.frames += 1

    def close(self) -> None:
        self._writer.release()

    def _check_disk(self) -> None:
        free = shutil.disk_usage(self.path.parent).free
        if free < SPARE:
            raise EdgeError(
                f"{self.path.parent} has {free / 1e6:.0f} MB free, {SPARE / 1e6:.0f} MB are kept;"
                f" {self.path} plays up to here ({self.frames} frames)"
            )
