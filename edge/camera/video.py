"""A video file that plays up to the frame at which writing ended.

An .mkv, .avi or .webm plays even after `kill -9`. An .mp4 has its index at its end and plays only
once it was closed, which Ctrl-C, SIGTERM and a full disk do.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import av.error
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from edge.errors import EdgeError, UsageError
from edge.samples.sample import Image

RESERVED = 16_000_000
"""Bytes of the disk that stay free, for the index that an .mp4 gets at its end."""
CHECK_EVERY = 15
"""Frames between two checks of the disk."""
QUALITY = {"flags": "+qscale", "global_quality": str(3 * 118)}
"""The third of 31 steps of quality; FFmpeg counts each as 118."""
FLUSHED = {"flush_packets": "1"}
"""Nothing stays in the process's memory that is written already."""
CLUSTERS = {"cluster_time_limit": "1000"}
"""Milliseconds of a Matroska file that a killed process loses at most."""


@dataclass(frozen=True)
class Format:
    """How the videos of one suffix are written.

    Attributes:
        codec: encoder of FFmpeg.
        pixels: its pixel format.
        ticks: time stamps per second; 0 for a container that counts frames.
        options: of the encoder.
        container: options of the container.
    """

    codec: str
    pixels: str = "yuv420p"
    ticks: int = 1000
    options: dict[str, str] = field(default_factory=lambda: QUALITY)
    container: dict[str, str] = field(default_factory=dict)


# Threads of libvpx wait for each other actively: two take 18 times the time of one.
REALTIME = {"deadline": "realtime", "cpu-used": "8", "crf": "10", "b": "8000000", "threads": "1"}
FORMATS = {
    # MPEG-4 has 16 bits for the ticks of a second; the rates of cameras divide 60000.
    ".mp4": Format("mpeg4", ticks=60_000),
    ".mkv": Format("mpeg4", container=CLUSTERS),
    ".avi": Format("mjpeg", "yuvj420p", ticks=0),
    ".webm": Format("libvpx", options=REALTIME, container=CLUSTERS),
}


def format_of(path: Path) -> Format:
    """Return the format for the suffix of a video's name; UsageError if there is none."""
    known = FORMATS.get(path.suffix.lower())
    if known is None:
        raise UsageError(f"--out {path}: expected a name that ends in {', '.join(FORMATS)}")
    return known


class Video:
    """A video file to write; `close` ends it.

    Frames play at the times that they are given. An .avi counts frames: there a frame is repeated
    or left out, so that the video still plays in time.

    Args:
        path: file to write; the suffix chooses container and codec.
        size: (height, width) of the frames.
        fps: frames per second, on the average.

    Attributes:
        frames: frames in the file so far.

    Raises:
        EdgeError: the file cannot be written, or the disk is full; then the video is closed first.
    """

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        self._format = format_of(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.size, self.frames = path, size, 0
        self._rate = Fraction(fps).limit_denominator(1001)
        self._tick = -1  # of the last frame
        self._closed = False
        self._check_disk()
        try:
            self._open()
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "FFmpeg refuses it"
            raise EdgeError(
                f"cannot write a video of {size[1]}x{size[0]} to {path}: {reason}"
            ) from error

    def _open(self) -> None:
        kind = self._format
        # An absolute path: FFmpeg takes what stands before a colon for a protocol.
        self._container = av.open(
            os.path.abspath(self.path), "w", container_options={**FLUSHED, **kind.container}
        )
        stream = cast(
            VideoStream,
            self._container.add_stream(kind.codec, rate=self._rate, options=kind.options),
        )
        stream.height, stream.width = self.size
        stream.pix_fmt = kind.pixels
        self._step = Fraction(1, kind.ticks) if kind.ticks else 1 / self._rate
        stream.time_base = stream.codec_context.time_base = self._step
        stream.codec_context.open()
        self._stream = stream

    def write(self, image: Image, at: float | None = None) -> None:
        """Append a frame.

        Args:
            image: uint8 [H, W, 3] BGR of the video's size.
            at: seconds since the first frame, never less than before; None: at the frame rate.
        """
        if self.frames % CHECK_EVERY == 0:
            self._check_disk()
        seconds = Fraction(self.frames) / self._rate if at is None else Fraction(at)
        tick = round(seconds / self._step)
        frame = VideoFrame.from_ndarray(image, format="bgr24")
        if self._format.ticks:
            self._encode(frame, max(tick, self._tick + 1))
            return
        for number in range(self._tick + 1, tick + 1):
            self._encode(frame, number)

    def close(self) -> None:
        """End the file; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            self._container.mux(self._stream.encode(None))
            self._container.close()
        except (av.error.FFmpegError, OSError) as error:
            raise EdgeError(f"cannot write {self.path}: {error.strerror}") from error

    def _encode(self, frame: VideoFrame, tick: int) -> None:
        frame.pts, frame.time_base = tick, self._step
        try:
            self._container.mux(self._stream.encode(frame))
        except (av.error.FFmpegError, OSError) as error:
            self._give_up()
            raise EdgeError(f"cannot write {self.path}: {error.strerror}") from error
        self._tick = tick
        self.frames += 1

    def _give_up(self) -> None:
        """Close the file as it is, after an error that is told anyway."""
        with suppress(EdgeError):
            self.close()

    def _check_disk(self) -> None:
        free = shutil.disk_usage(self.path.parent).free
        if free < RESERVED:
            if self.frames:
                self._give_up()
            raise EdgeError(
                f"{self.path.parent} has {free / 1e6:.0f} MB free, expected at least"
                f" {RESERVED / 1e6:.0f}; {self.path} plays up to here ({self.frames} frames)"
            )
