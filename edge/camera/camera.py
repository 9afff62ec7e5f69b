"""Frames from cameras, files and rendered scenes, by a URL.

A live source is read by a thread of its own into a slot for one frame, so that nobody ever works on
a stale one; what nobody took in time is counted as dropped. A source that dies is opened again,
after 1, 2, 4 ... at most 60 seconds. A recording has no such slot: every frame of it is given.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import EdgeError, UsageError
from edge.samples.sample import Image, SampleError
from edge.samples.sequences import IMAGE_SUFFIXES, images_in, read_image

# OpenCV and FFmpeg print the URLs that they cannot open, passwords and all.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
# Over UDP a busy network tears pictures apart.
os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

STREAMS = ("rtsp", "rtsps", "rtmp", "http", "https", "udp", "tcp")
TIMEOUT_MS = 5000
"""A stream that gives nothing for so long is lost."""
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
FROZEN_S = 10.0
"""A live picture that is the same byte for byte for so long is frozen: sensors are noisy."""

SECRET = re.compile(
    r"((?<=[?&;])[up]=|(?:user|usr|login|pass|pw|token|secret|key|auth)[a-z]*=)"
    r".*?(?=[&;/?#]|_[a-z]+=|$)",
    re.IGNORECASE,
)
"""A name that means a secret and its value, as cameras write them: `?user=a&password=b`, or
`/user=a_password=b_channel=1`."""
PAIR = re.compile(r"(?<=/)[^/:?#]+:[^/?#]+")
"""`user:password` as a part of a path."""
MISTYPED = re.compile(rf"^((?:{'|'.join((*STREAMS, 'file'))})?[:/]*).*@", re.IGNORECASE)
"""An address whose `://` is not one, up to the end of its password."""


class CameraError(EdgeError):
    """A source of frames cannot be opened; the message names it without its password."""


def shown(url: str) -> str:
    """The URL as it may be printed: no user, no password.

    All up to the last @ may be a password: people forget to write %2F for a slash in one.
    """
    kind, mark, rest = url.partition("://")
    if mark and kind.lower() in STREAMS:
        _, at, place = rest.rpartition("@")
        host, slash, path = place.partition("/")
        printed = f"{kind}://{'***@' if at else ''}{host}" + PAIR.sub("***", slash + path)
    elif not mark and ":" in url.rpartition("@")[0] and not Path(url).exists():
        printed = MISTYPED.sub(r"\1***@", url)
    else:
        printed = re.sub(r"//[^/?#]*@", "//***@", url)
    return SECRET.sub(r"\1***", printed)


@dataclass(frozen=True)
class Frame:
    """picture: uint8 [H, W, 3] BGR. number: of the frame in its source, from 0.

    at: seconds; Unix time for a live source, time since its beginning for a recording.
    arrived: `time.monotonic()` when the picture was there. truth: bool [H, W], what is really new,
    known of rendered scenes only.
    """

    picture: Image
    number: int
    at: float
    arrived: float
    truth: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Event:
    """kind: `lost`, `back`, `frozen` or `moving`; at: Unix time."""

    kind: str
    at: float
    text: str


class Reader(Protocol):
    """An open source. live: it goes on whether it is read or not; fps: 0 where it is not known."""

    live: bool
    fps: float

    def read(self) -> tuple[Image, npt.NDArray[np.bool_] | None] | None:
        """The next picture and, where it is known, the true mask; None: it ended or was lost."""

    def skip(self) -> bool:
        """Pass over the next picture; False: there is none."""

    def close(self) -> None: ...


class _Capture:
    """Whatever OpenCV can open."""

    def __init__(self, source: str | int, api: int, live: bool, name: str) -> None:
        self.live = live
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, TIMEOUT_MS]
        limits += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, TIMEOUT_MS]
        self._capture = cv2.VideoCapture(source, api, limits if api == cv2.CAP_FFMPEG else [])
        if not self._capture.isOpened():
            raise CameraError(f"cannot open {name}: " + _why(source, api))
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0.5 <= fps <= 240 else 0.0

    def read(self) -> tuple[Image, None] | None:
        done, picture = self._capture.read()
        return (np.asarray(picture, np.uint8), None) if done else None

    def skip(self) -> bool:
        return bool(self._capture.grab())

    def close(self) -> None:
        self._capture.release()


def _why(source: str | int, api: int) -> str:
    if api == cv2.CAP_GSTREAMER:
        return "the camera gives no picture; `nvgstcapture-1.0` shows whether the driver sees it"
    if api == cv2.CAP_V4L2:
        there = ", ".join(sorted(map(str, Path("/dev").glob("video*")))) or "none"
        return f"no such camera, or it is in use; devices here: {there}"
    if isinstance(source, str) and "://" in source:
        return "nobody answers, or the address, user or password is wrong"
    return "it is not a video that OpenCV can read"


class _Folder:
    """Pictures of a folder, or one picture, in the order of their names."""

    live, fps = False, 0.0

    def __init__(self, files: list[Path]) -> None:
        self._files = iter(files)

    def read(self) -> tuple[Image, None] | None:
        for file in self._files:
            try:
                return read_image(file), None
            except SampleError:
                continue  # a folder that is still being written to
        return None

    def skip(self) -> bool:
        return next(self._files, None) is not None

    def close(self) -> None:
        pass


Opener = Callable[[str], Reader]
"""Opens the address of a scheme; CameraError or UsageError says why it cannot."""
SCHEMES: dict[str, Opener] = {}
"""Further schemes by name; a module that brings one registers it here."""


CSI = (
    "nvarguscamerasrc sensor-id={} ! video/x-raw(memory:NVMM),width=1280,height=720,framerate=30/1"
    " ! nvvidconv ! video/x-raw,format=BGRx ! videoconvert ! video/x-raw,format=BGR"
    " ! appsink drop=1 max-buffers=1"
)


def open_reader(url: str) -> Reader:
    """Open a source by its URL (docs/cameras.md). CameraError says why it cannot be."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(
            f"{shown(url)} is not an address; write %40 for @ and %2F for / in a password"
        ) from error
    place = url.partition("://")[2]
    if parts.scheme in STREAMS and "://" in url:
        return _Capture(url, cv2.CAP_FFMPEG, True, shown(url))
    if parts.scheme == "v4l2":
        device: str | int = int(place) if place.isdigit() else place
        return _Capture(device, cv2.CAP_V4L2, True, url)
    if parts.scheme == "csi":
        if not re.search(r"GStreamer:\s+YES", cv2.getBuildInformation()):
            raise CameraError(
                f"{url} needs an OpenCV with GStreamer, as JetPack brings it; this one has none"
            )
        return _Capture(CSI.format(place or "0"), cv2.CAP_GSTREAMER, True, url)
    if parts.scheme in SCHEMES:
        return SCHEMES[parts.scheme](url)
    if "://" in url and parts.scheme != "file":
        known = ", ".join(f"{kind}://" for kind in (*STREAMS, "v4l2", "csi", *SCHEMES, "file"))
        raise UsageError(f"{shown(url)}: unknown kind of source; known: a path, {known}")
    path = Path(place if parts.scheme == "file" else url)
    if "@" in url and not path.exists():
        raise UsageError(
            f"{shown(url)}: no such file; a camera's address is written as"
            " rtsp://USER:PASSWORD@HOST/PATH"
        )
    return _recording(path)


def _recording(path: Path) -> Reader:
    if path.is_dir():
        files = images_in(path)
        if not files:
            raise CameraError(f"no pictures in {path}")
        return _Folder(files)
    if not path.is_file():
        raise CameraError(f"no file or folder {path}")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return _Folder([path])
    return _Capture(str(path), cv2.CAP_FFMPEG, False, str(path))


class Camera:
    """A source as a loop uses it: `take` gives what is there, until `ended`.

    wake: set whenever there is something to take, for a loop that waits for several cameras.
    Raises CameraError if the source cannot be opened at first; later losses are events.
    """

    def __init__(
        self, url: str, wake: threading.Event | None = None, frozen_s: float = FROZEN_S
    ) -> None:
        self._url, self.name = url, shown(url)
        self.wake = wake or threading.Event()
        self.dropped = 0
        self.ended = False
        self._frozen_s = frozen_s
        self._number = 0
        self._slot: Frame | None = None
        self._events: deque[Event] = deque()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._reader = open_reader(url)
        self.live, self.fps = self._reader.live, self._reader.fps
        self._thread: threading.Thread | None = None
        if self.live:
            self._thread = threading.Thread(target=self._guarded, name=self.name, daemon=True)
            self._thread.start()

    def __enter__(self) -> Camera:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def take(self) -> Frame | Event | None:
        """What happened since, else the newest frame, else None. Each is given once."""
        with self._lock:
            if self._events:
                return self._events.popleft()
            frame, self._slot = self._slot, None
        if self.live or self.ended:
            return frame
        found = self._reader.read()
        if found is None:
            self.ended = True
            return None
        at = self._number / self.fps if self.fps else float(self._number)
        return self._framed(found, at)

    def close(self) -> None:
        """Stop reading; a second call does nothing."""
        self.ended = True
        self._stop.set()
        if self._thread is None:
            self._reader.close()
        else:
            # It may sit in a read, which ends by itself after TIMEOUT_MS.
            self._thread.join(TIMEOUT_MS / 1e3 + 1)

    def _framed(self, found: tuple[Image, npt.NDArray[np.bool_] | None], at: float) -> Frame:
        frame = Frame(found[0], self._number, at, time.monotonic(), found[1])
        self._number += 1
        return frame

    def _tell(self, kind: str, text: str) -> None:
        with self._lock:
            self._events.append(Event(kind, time.time(), text))
        self.wake.set()

    def _guarded(self) -> None:
        """The thread of a live source: it never ends without a word."""
        try:
            self._capture()
        except Exception as error:
            self._tell("lost", f"{self.name} cannot be read any more ({type(error).__name__})")
            self.ended = True
            self.wake.set()

    def _capture(self) -> None:
        wait, lost = FIRST_WAIT_S, False
        still = _Still(self._frozen_s)
        while not self._stop.is_set():
            found = self._reader.read()
            if found is not None:
                if lost:
                    self._tell("back", f"{self.name} is back")
                wait, lost = FIRST_WAIT_S, False
                if (change := still.changed(found[0])) is not None:
                    kind = "frozen" if change else "moving"
                    text = f"shows the same picture for {self._frozen_s:g} s" if change else "moves"
                    self._tell(kind, f"{self.name} {text}")
                self._put(self._framed(found, time.time()))
                continue
            self._reader.close()
            if not lost:
                self._tell("lost", f"{self.name} is lost; trying again until it is back")
                lost = True
            while not self._stop.wait(wait):
                wait = min(2 * wait, LONGEST_WAIT_S)
                try:
                    self._reader = open_reader(self._url)
                    break
                except CameraError:
                    continue
        self._reader.close()

    def _put(self, frame: Frame) -> None:
        with self._lock:
            self.dropped += self._slot is not None
            self._slot = frame
        self.wake.set()


class _Still:
    """Whether a live picture is frozen."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last: Image | None = None
        self._since = 0.0
        self._frozen = False

    def changed(self, picture: Image) -> bool | None:
        """True: it is frozen from now on; False: no longer; None: as before."""
        now = time.monotonic()
        if not self._same(picture):
            self._last, self._since = picture, now
        frozen = now - self._since >= self._seconds
        if frozen == self._frozen:
            return None
        self._frozen = frozen
        return frozen

    def _same(self, picture: Image) -> bool:
        last = self._last
        if last is None or last.shape != picture.shape:
            return False
        # A few pixels tell noisy pictures apart.
        few = (slice(None, None, 16), slice(None, None, 16))
        return np.array_equal(last[few], picture[few]) and np.array_equal(last, picture)
