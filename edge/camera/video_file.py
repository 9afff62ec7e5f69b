"""A video file that is read to its end, past frames that cannot be decoded."""

from __future__ import annotations

from av.container import InputContainer
from av.video.frame import VideoFrame

from edge.camera.decoder import CONVERT, Decoder, SourceLost
from edge.camera.source import CameraError, Decoded, UnreadableFrame

JOINED = {"mpegts", "mpeg", "matroska"}
"""Containers that recorders join; their time stamps begin again in the middle."""
STATED = {"matroska", "flv", "asf"}
"""Containers whose header states the duration; FFmpeg estimates that of others."""
LEAST_S = 0.15
"""Seconds that headers may state too many."""
DECODER_DELAY = 32
"""Frames by which a decoder with several threads may report a damaged frame too early."""


class VideoFile:
    """A video file that is read to its end, past frames that cannot be decoded.

    Args:
        container: as av.open gives it.
        name: printable name of the file.

    Raises:
        CameraError: the file has no video, or one of an unknown codec.
    """

    live = False

    def __init__(self, container: InputContainer, name: str) -> None:
        self.name = name
        self._decoder = Decoder(container, name)
        self.fps = self._decoder.fps
        self._formats = container.format.name.split(",")
        self._position = 0  # of the next frame
        self._decoded = 0  # frames that were decoded
        self._held: VideoFrame | None = None  # sound, and after lost ones that were reported
        self._suspicious = 0  # frames in which a packet without a frame still means a loss
        self._damage = 0  # of the decoder, as far as it is accounted for
        self._begin: int | None = self._decoder.stream.start_time  # time stamp
        self._last: int | None = None  # time stamp of the last frame
        self._last_key: int | None = None  # as of the decoder
        self._at = self._offset = 0.0
        self._busy_s = 0.0
        self._steady = True  # the frame rate is constant
        self._ended = False

    def read(self) -> Decoded | None:
        """Return the next frame; None at the end of the file.

        Raises:
            UnreadableFrame: frames in between cannot be decoded.
            CameraError: no frame at all can be decoded, or reading fails.
        """
        frame = self._next()
        if frame is None:
            return None
        image = self._decoder.convert(frame)
        busy_s, self._busy_s = self._decoder.busy_s - self._busy_s, self._decoder.busy_s
        return Decoded(image, None, self._at, 1e3 * busy_s)

    def skip(self) -> bool:
        """Pass over the next frame; False at the end of the file. Errors as of `read`."""
        return self._next() is not None

    def close(self) -> None:
        """Release the file."""
        self._decoder.close()

    def _next(self) -> VideoFrame | None:
        if self._ended:
            return None
        frame = self._held
        if frame is None:
            frame = self._next_frame()
            if frame is None:
                self._end()
                return None
            if lost := self._lost_before(frame):
                self._held = frame
                raise self._unreadable(lost)
        self._held = None
        self._keep_time(frame)
        if frame.is_corrupt or self._decoder.key(frame) in self._decoder.torn:
            self._suspicious = DECODER_DELAY
            raise self._unreadable(1)
        self._position += 1
        self._decoded += 1
        return frame

    def _next_frame(self) -> VideoFrame | None:
        try:
            return self._decoder.next_frame()
        except SourceLost as error:
            raise CameraError(
                f"reading {self.name} failed after {self._position} frames: {error}"
            ) from None

    def _lost_before(self, frame: VideoFrame) -> int:
        """Count the frames that were lost before this one.

        Packets without a frame of their own exist in sound files as well (frames that are never
        shown), so they count near damage only.
        """
        decoder, key = self._decoder, self._decoder.key(frame)
        if damage := decoder.damage - self._damage:
            self._damage, self._suspicious = decoder.damage, DECODER_DELAY
        if key is None:
            return damage
        last, self._last_key = self._last_key, key
        if last is not None and key < last:  # the time stamps begin again
            decoder.pending = [pending for pending in decoder.pending if key < pending <= last]
            return 0
        # Packets before the last frame have time stamps that begin again: they are still to come.
        to_come = [p for p in decoder.pending if p > key or (last is not None and p < last)]
        passed = sum(p != key for p in decoder.pending) - len(to_come)
        decoder.pending = to_come
        if not self._suspicious:
            if decoder.unindexed and self._position:
                return self._gap(frame)
            return 0 if self._position or decoder.counted else passed
        self._suspicious -= 1
        return max(passed, self._gap(frame))

    def _gap(self, frame: VideoFrame) -> int:
        """Frames that fit between the last one and this one; 0 where that is unknown."""
        step = self._decoder.stream.time_base
        if self._decoder.counted or not self._steady or not self.fps or step is None:
            return 0
        if self._last is None or frame.pts is None:
            return 0
        return max(0, round(float((frame.pts - self._last) * step) * self.fps) - 1)

    def _keep_time(self, frame: VideoFrame) -> None:
        """Set the time of a frame: its time stamp, or its number where there is none."""
        step, interval = self._decoder.stream.time_base, 1 / self.fps if self.fps else 1.0
        if self._decoder.counted or frame.pts is None or step is None:
            self._at = self._position * interval
            return
        if self._begin is None or (frame.pts < self._begin and self._last is None):
            self._begin = frame.pts
        if self._last is not None:
            elapsed = float((frame.pts - self._last) * step)
            self._steady &= self._suspicious > 0 or abs(elapsed - interval) < interval / 2
        at = float((frame.pts - self._begin) * step) + self._offset
        if at < self._at and not JOINED.isdisjoint(self._formats):
            self._offset += self._at + interval - at
            at = self._at + interval
        self._at, self._last = at, frame.pts

    def _end(self) -> None:
        """End the file; report what is missing at its end."""
        self._ended = True
        decoder, total = self._decoder, self._decoder.stream.frames
        missing = max(0, total - decoder.packets) if total else 0
        short_s = 0.0 if total else self._short_s()
        if not self._decoded:
            raise self._nothing(bool(missing or short_s))
        lost = len(decoder.pending) if self._suspicious or decoder.damage > self._damage else 0
        count = f"{lost} of {total}" if total else f"the last {lost}"
        text = f"{count} frames are damaged or missing"
        many = max(self.fps, 0.05 * (total or self._position))
        # Some headers count a few frames too many.
        if missing and (self._position + lost > self._decoded or missing > many):
            lost += missing
            text = f"{lost} of {total} frames are damaged or missing"
        elif short_s:
            lost = max(lost, round(short_s * self.fps))
            end = self._at + 1 / self.fps
            text = f"it ends after {end:.1f} of {end + short_s:.1f} s: damaged or cut off"
        if lost:
            raise UnreadableFrame(f"{self.name}: {text}", lost, cut_off=lost > many)

    def _short_s(self) -> float:
        """Seconds from the last frame to the end that the header states, if it does."""
        container = self._decoder.container
        step = self._decoder.stream.time_base
        if (
            STATED.isdisjoint(self._formats)
            or len(container.streams) > 1
            or not self.fps
            or not step
        ):
            return 0.0
        begin = max(0.0, float((self._begin or 0) * step))
        short = (container.duration or 0) / 1e6 - begin - self._at - 1 / self.fps
        return short if short > max(LEAST_S, 1.5 / self.fps) else 0.0

    def _nothing(self, short: bool) -> CameraError:
        """The error for a file of which no frame can be decoded."""
        decoder = self._decoder
        text = f"cannot decode a frame of {self.name} (codec {decoder.codec})"
        if short or decoder.torn or not decoder.packets:
            return CameraError(f"{text}: data are missing", "copy or download it again")
        return CameraError(text, CONVERT)

    def _unreadable(self, count: int) -> UnreadableFrame:
        begin, self._position = self._position, self._position + count
        numbers = f"frame {begin}" if count == 1 else f"frames {begin} to {begin + count - 1}"
        return UnreadableFrame(f"{self.name}: {numbers} cannot be decoded", count)
