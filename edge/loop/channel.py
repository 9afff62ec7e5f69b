"""One source of a loop with its counters and its output: a video, a window, a summary."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median

from edge.camera.source import Frame
from edge.camera.video import Video
from edge.image import size_of
from edge.loop.overlay import drawn
from edge.loop.pipeline import CameraPipeline, FrameResult
from edge.loop.window import show_window
from edge.samples.sample import Image

REMEMBERED = 10_000
"""Frames whose times the summary is made of: a camera runs for months."""
LONGEST_GAP_S = 2.0
"""Longest gap of a live source that its video shows as a still image."""
DEFAULT_FPS = 15.0
"""Frame rate of sources that have none."""
MIN_FRAMES = 30
"""Frames below which the summary estimates no number of cameras."""


@dataclass
class Channel:
    """One source: its pipeline, its output, and its counters.

    Attributes:
        pipeline: from frames to results.
        out: video to write, or None.
        window: show each frame in a window.
        redact: how the foreground is hidden in both (edge.loop.overlay.redacted), or None.
        frames: frames processed.
        busy_ms: of the last frames, decoding included.
        latency_ms: of the last frames.
    """

    pipeline: CameraPipeline
    out: Path | None = None
    window: bool = False
    redact: str | None = None
    video: Video | None = None
    frames: int = 0
    busy_ms: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    latency_ms: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _began: float = 0.0
    _shown: float = 0.0

    @property
    def name(self) -> str:
        """The address of the source without its password."""
        return self.pipeline.camera.name

    @property
    def fps(self) -> float:
        """Frame rate of the source, or DEFAULT_FPS."""
        return self.pipeline.camera.fps or DEFAULT_FPS

    @property
    def unreadable(self) -> int:
        """Frames of the source that could not be decoded."""
        return self.pipeline.camera.unreadable

    def process(self, frame: Frame) -> FrameResult:
        """Process a frame and count it."""
        result = self.pipeline.process(frame)
        self.frames += 1
        self.busy_ms.append(result.busy_ms + frame.decode_ms)
        self.latency_ms.append(result.latency_ms)
        return result

    def output(self, result: FrameResult) -> None:
        """Draw a result into the video and the window, where there is one."""
        if self.out is None and not self.window:
            return
        image = drawn(result, self.redact)
        self.write(image, result.frame)
        if self.window:
            show_window(self.name, image)

    def write(self, image: Image, frame: Frame) -> None:
        """Write the image of a frame to the video, which plays in the time of the source."""
        if self.out is None:
            return
        if self.video is None:
            self.video = Video(self.out, size_of(image), self.fps)
            self._began = self._time(frame)
        self.video.write(image, self._since_begin(frame))

    def _since_begin(self, frame: Frame) -> float | None:
        """Seconds since the first frame of the video; None without a time."""
        camera = self.pipeline.camera
        if not camera.timed:
            return None
        shown = self._time(frame) - self._began
        if camera.live and shown - self._shown > LONGEST_GAP_S:
            # The rest of the gap is left out for good.
            self._began += shown - self._shown - LONGEST_GAP_S
            shown = self._shown + LONGEST_GAP_S
        self._shown = max(shown, self._shown)
        return self._shown

    def _time(self, frame: Frame) -> float:
        # The clock of a live source's frames may be set.
        return frame.arrived if self.pipeline.camera.live else frame.at

    def close(self) -> None:
        """End the video."""
        if self.video is not None:
            self.video.close()


def summary(channels: Sequence[Channel]) -> list[str]:
    """Return a line for each channel, and one that estimates how many such cameras are possible."""
    lines = []
    for channel in channels:
        counts = f"{channel.name}: {channel.frames} frames"
        if channel.frames:
            counts += (
                f", {median(channel.latency_ms):.1f} ms from frame to mask,"
                f" {channel.pipeline.camera.dropped} dropped"
            )
        if channel.unreadable:
            counts += f", {channel.unreadable} unreadable"
        if channel.frames or channel.unreadable:
            lines.append(counts)
    return [*lines, *capacity(channels)]


def capacity(channels: Sequence[Channel]) -> list[str]:
    """Return a line that estimates how many such cameras this machine takes; none of few frames.

    The loop is full where the frames of a second take a second: the mean counts, not the median,
    because what is done now and then must be paid as well.
    """
    measured = [channel for channel in channels if channel.busy_ms]
    frames = sum(len(channel.busy_ms) for channel in measured)
    if frames < MIN_FRAMES:
        return []
    shares = [1e-3 * fmean(channel.busy_ms) * channel.fps for channel in measured]
    frame_ms = sum(sum(channel.busy_ms) for channel in measured) / frames
    rates = sorted({channel.fps for channel in measured})
    fps = f"{rates[0]:g}" if len(rates) == 1 else f"{rates[0]:g} to {rates[-1]:g}"
    said = "" if all(channel.pipeline.camera.fps for channel in measured) else ", which is assumed"
    without = ", --out and --show left out" if any(c.out or c.window for c in measured) else ""
    count = int(len(measured) / sum(shares))
    takes = f"takes about {count} such cameras" if count else "keeps up with no such camera"
    return [
        f"this machine {takes}: {frame_ms:.1f} ms a frame with decoding (mean of the last"
        f" {frames:,} frames{without}), {fps} frames a second{said}"
    ]
