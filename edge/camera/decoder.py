"""The frames of one video stream, decoded by PyAV (FFmpeg)."""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av
import av.error
import cv2
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from edge.camera.source import CameraError
from edge.runtime.cores import usable_cores

MOST_THREADS = 16
FASTEST_FPS = 1000.0
"""Rates beyond are units of time stamps, not frames."""
RETRIES = 64
"""Failed reads in a row after which a container is given up; each passes over some bytes."""
CONVERT = "convert it: ffmpeg -i IN -c:v libx264 OUT.mp4"


class SourceLost(Exception):
    """Reading failed, as when a disk or a network breaks; the text says how."""


class Decoder:
    """The frames of the best video stream of a container.

    Args:
        container: as av.open gives it.
        name: printable name of the source.
        low_latency: give each frame as soon as its data are there. Otherwise several frames are
            decoded at a time, which is faster and later.

    Attributes:
        fps: frames per second, the average of a variable rate; 0 if unknown.
        packets: compressed frames read so far, lost ones in an index included.
        pending: keys of the packets that gave no frame so far.
        torn: keys of the packets that are not whole.
        unindexed: a Matroska file that was closed and whose index is lost.
        damage: damaged packets so far.
        busy_s: seconds of decoding so far.

    Raises:
        CameraError: the container has no video, or one of a codec that FFmpeg does not know.
    """

    def __init__(self, container: InputContainer, name: str, low_latency: bool = False) -> None:
        self.container, self.name = container, name
        self.stream = _best_stream(container, name)
        self.stream.thread_count = min(usable_cores(), MOST_THREADS)
        self.stream.thread_type = "SLICE" if low_latency else "AUTO"
        self.fps = _fps(self.stream)
        self.packets = self.damage = 0
        self.pending: list[int] = []
        self.torn: set[int] = set()
        self.busy_s = 0.0
        # An .avi counts frames and has no time stamps of its own.
        self.counted = container.format.name == "avi"
        self._index = self._positions() if self.counted else {}
        # Where a part of a Matroska file is lost, FFmpeg goes on behind it without a word.
        matroska = "matroska" in container.format.name and os.path.isabs(container.name)
        self._key_frames: deque[int] = deque()
        if matroska:
            self._key_frames.extend(_indexed_key_frames(container, self.stream.index))
        self.unindexed = matroska and not _covers(self._key_frames, self.stream, container)
        self._end_markers: bool | None = None if self.codec == "mjpeg" else False
        self._frames: deque[VideoFrame] = deque()
        self._demuxer: Any = container.demux(self.stream)
        self._flushed = False
        self._reformatter = VideoReformatter()

    @property
    def codec(self) -> str:
        """Name of the codec."""
        return self.stream.codec_context.name

    def key(self, frame: VideoFrame) -> int | None:
        """The key by which a frame is found among the pending packets."""
        return frame.dts if self.counted else frame.pts

    def next_frame(self) -> VideoFrame | None:
        """Return the next frame in the order of display; None at the end.

        Damaged packets are passed over and counted.

        Raises:
            SourceLost: reading failed.
        """
        while not self._frames and not self._flushed:
            packet = self._next_packet()
            start = time.perf_counter()
            try:
                self._frames.extend(self.stream.codec_context.decode(packet))
            except av.error.FFmpegError:
                self.damage += 1
            self.busy_s += time.perf_counter() - start
            self._flushed = packet is None
        return self._frames.popleft() if self._frames else None

    def convert(self, frame: VideoFrame) -> npt.NDArray[Any]:
        """Convert a frame, turned as its container says.

        Returns:
            uint8 [H, W, 3] BGR; uint16 [H, W] as it is stored if the frame is grey with more than 8
            bits.
        """
        start = time.perf_counter()
        pixels = frame.format.name
        if pixels.startswith("grayf"):
            raise CameraError(f"{self.name} has floating-point values ({pixels}), expected 8 bits")
        if pixels.startswith("gray") and frame.format.components[0].bits > 8:
            image = _stored(frame)
        else:
            # Bicubic, as OpenCV converts: the same pixels. More threads make small frames slower.
            image = self._reformatter.reformat(
                frame, format="bgr24", interpolation="BICUBIC", threads=1
            ).to_ndarray()
        image = _turned(image, frame)
        self.busy_s += time.perf_counter() - start
        return image

    def close(self) -> None:
        """Release the source."""
        self._demuxer.close()
        self.container.close()

    def _next_packet(self) -> Any:
        """The next packet with data; None at the end."""
        for _ in range(RETRIES):
            try:
                packet = next(self._demuxer)
            except (StopIteration, av.error.EOFError):
                return None
            except av.error.InvalidDataError:
                self.damage += 1
                self._demuxer = self.container.demux(self.stream)
                continue
            except av.error.FFmpegError as error:
                late = isinstance(error, av.error.ExitError)
                reason = "no data in time" if late else error.strerror
                raise SourceLost(reason or type(error).__name__) from None
            if packet.dts is None and packet.pts is None and not packet.size:
                return None  # PyAV's last packet
            self._count(packet)
            # An empty packet would end the decoder; in an .avi it repeats the last frame.
            if packet.size:
                return packet
        return None

    def _count(self, packet: Any) -> None:
        position = self._index.get(packet.pos, self.packets)
        if position > self.packets:
            # Damage made the demuxer pass over frames that the index knows.
            self.damage += 1
            self.pending += range(self.packets, position)
        if self._index:
            packet.pts = packet.dts = position
        self.packets = position + 1
        key = packet.dts if self.counted else packet.pts
        if key is None:
            self.damage += packet.is_corrupt
            return
        torn = not self._ends(packet)
        self.damage += packet.is_corrupt or torn
        # In a transport stream the last packet before a joint is called corrupt, too.
        if torn or (packet.is_corrupt and self.container.format.name != "mpegts"):
            self.torn.add(key)
        if not packet.is_discard:
            self.pending.append(key)
        # Key frames that the index knows and that did not come: nothing later comes before them.
        while self._key_frames and self._key_frames[0] <= key:
            self.damage += self._key_frames.popleft() < key

    def _ends(self, packet: Any) -> bool:
        """Whether a JPEG has an end marker, which its pixels cannot hold; where the first one has
        none, none is expected."""
        if self._end_markers is False:
            return True
        ends = b"\xff\xd9" in bytes(packet)
        if self._end_markers is None:
            self._end_markers = ends
        return ends or not self._end_markers

    def _positions(self) -> dict[int, int]:
        """The number of each frame of an .avi by the position of its data."""
        header = 8
        return {entry.pos + header: i for i, entry in enumerate(self.stream.index_entries)}


def _indexed_key_frames(container: InputContainer, stream: int) -> list[int]:
    """Time stamps of the key frames that the index of a Matroska file names."""
    try:
        # Only seeking reads the index, and it would move the container itself.
        with av.open(container.name) as again:
            again.seek(0)
            return sorted(entry.timestamp for entry in again.streams[stream].index_entries)
    except (av.error.FFmpegError, OSError):
        return []


def _covers(times: Sequence[int], stream: VideoStream, container: InputContainer) -> bool:
    """Whether the time stamps of an index reach up to the end that the header states."""
    if not container.duration or stream.time_base is None:  # as browsers write it: without either
        return True
    if not times:
        return False
    end = float(Fraction(container.duration, av.time_base) / stream.time_base)
    longest = max((b - a for a, b in pairwise(times)), default=end)
    return end - times[-1] <= 2 * longest


def _best_stream(container: InputContainer, name: str) -> VideoStream:
    stream = container.streams.best("video")
    # FFmpeg plays text files as the screens of a terminal.
    if not isinstance(stream, VideoStream) or container.format.name == "tty":
        raise CameraError(f"{name} has no video")
    if stream.disposition & Disposition.attached_pic:
        raise CameraError(f"{name} has no video, only sound and its cover")
    if stream.codec_context is None:
        raise CameraError(f"{name} has video of an unknown codec{_tag(container)}", CONVERT)
    return stream


def _tag(container: InputContainer) -> str:
    """The four characters that name an unknown codec, where the container can be read again."""
    av.logging.set_level(av.logging.WARNING)
    try:
        with av.logging.Capture() as lines, av.open(container.name):
            text = " ".join(line for _, _, line in lines)
    except (av.error.FFmpegError, OSError):
        return ""
    finally:
        av.logging.set_level(None)
    tag = re.search(r"Video: none \((.{4}) /", text)
    return f" ({tag[1]})" if tag else ""


def _fps(stream: VideoStream) -> float:
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate is not None and 0 < rate <= FASTEST_FPS:
            return float(rate)
    return 0.0


def _stored(frame: VideoFrame) -> npt.NDArray[Any]:
    """The values of a grey frame with more than 8 bits, uint16 [H, W]."""
    plane = frame.planes[0]
    kind = ">u2" if frame.format.name.endswith("be") else "<u2"
    rows = np.frombuffer(memoryview(plane), kind).reshape(frame.height, plane.line_size // 2)
    return np.asarray(rows[:, : frame.width], np.uint16)


def _turned(image: npt.NDArray[Any], frame: VideoFrame) -> npt.NDArray[Any]:
    """Turn and mirror an image as its display matrix says (ISO/IEC 14496-12, 6.2.2)."""
    side_data: Any = frame.side_data
    matrix = side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return image
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5]
    if a == 0 and d == 0:
        image = cv2.transpose(image)
        down, across = b, c
    else:
        down, across = d, a
    if down < 0 or across < 0:
        image = cv2.flip(image, -1 if down < 0 and across < 0 else 0 if down < 0 else 1)
    return image
