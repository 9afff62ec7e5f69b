"""A live network stream."""

from __future__ import annotations

from av.container import InputContainer
from av.video.frame import VideoFrame

from edge.camera.decoder import Decoder, SourceLost
from edge.camera.source import Decoded, UnreadableFrame

TIMEOUT_S = 5.0
"""A stream without a frame for this long is lost."""
FASTEST_FPS = 240.0
"""Cameras state rates beyond when they do not know their own."""


class NetworkStream:
    """A live network stream, without the delay of a decoder with several frames at a time.

    Args:
        container: as av.open gives it, with a time limit for reading.
        name: printable name of the source.

    Raises:
        CameraError: the stream has no video, or one of an unknown codec.
    """

    live = True

    def __init__(self, container: InputContainer, name: str) -> None:
        self.name = name
        self._decoder = Decoder(container, name, low_latency=True)
        self.fps = self._decoder.fps if 0.5 <= self._decoder.fps <= FASTEST_FPS else 0.0
        self._held: VideoFrame | None = None
        self._started = False
        self._damage = 0
        self._busy_s = 0.0

    def read(self) -> Decoded | None:
        """Return the next frame; None if the stream is lost.

        Raises:
            UnreadableFrame: the network lost a part of the stream.
        """
        frame = self._next()
        if frame is None:
            return None
        image = self._decoder.convert(frame)
        busy_s, self._busy_s = self._decoder.busy_s - self._busy_s, self._decoder.busy_s
        return Decoded(image, decode_ms=1e3 * busy_s)

    def skip(self) -> bool:
        """Pass over the next frame."""
        return self._next() is not None

    def close(self) -> None:
        """Release the stream."""
        self._decoder.close()

    def _next(self) -> VideoFrame | None:
        try:
            frame = self._held or self._decoder.next_frame()
        except SourceLost:
            return None
        self._held = None
        if frame is None:
            return None
        self._decoder.pending.clear()
        damage, self._damage = self._decoder.damage - self._damage, self._decoder.damage
        # A stream begins between two key frames: what cannot be decoded before the first is normal.
        started, self._started = self._started, True
        if started and damage:
            self._held = frame
            raise UnreadableFrame(f"{self.name}: {damage} frames are damaged", damage)
        if frame.is_corrupt:
            raise UnreadableFrame(f"{self.name}: a frame is damaged")
        return frame
