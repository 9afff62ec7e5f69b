"""rtsp://, http:// and the like: network streams, and recordings on web servers."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import av
import av.error
from av.container import InputContainer

from edge.camera.address import STREAMS, redact_address
from edge.camera.network_stream import TIMEOUT_S, NetworkStream
from edge.camera.source import SCHEMES, CameraError, Reader
from edge.camera.video_file import VideoFile
from edge.errors import UsageError

ENCODE = "in a user or password write %2F for /, %23 for #, %3F for ?, %40 for @ and %3A for :"
OPTIONS = {
    # Over UDP a busy network tears frames apart.
    "rtsp": {"rtsp_transport": "tcp"},
    "rtsps": {"rtsp_transport": "tcp"},
    # A recording goes on where a connection broke.
    "http": {"reconnect": "1", "reconnect_delay_max": "4"},
    "https": {"reconnect": "1", "reconnect_delay_max": "4"},
}
PLAYLISTS = {"hls", "dash"}
"""Formats whose file on the server is a list of parts; its size says nothing."""
ENDLESS = {"mpjpeg"}
"""What only cameras send; some of them state a length all the same."""


def open_stream(url: str) -> Reader:
    """Open a network stream; a file of a web server is a recording."""
    name = redact_address(url)
    check_address(url)
    scheme, _, rest = url.partition("://")
    start = time.monotonic()
    try:
        container = av.open(url, options=OPTIONS.get(scheme, {}), timeout=TIMEOUT_S)
    except (av.error.FFmpegError, OSError) as error:
        account = rest.rpartition("@")[0]
        encode = ENCODE if any(character in account for character in "/#?@") else ""
        reason = _reason(error, time.monotonic() - start)
        # `from None`: the error of PyAV holds the address with its password.
        raise CameraError(f"cannot open {name}: {reason}", encode) from None
    try:
        return VideoFile(container, name) if _is_file(container) else NetworkStream(container, name)
    except CameraError:
        container.close()
        raise


def _is_file(container: InputContainer) -> bool:
    """Whether what is sent has an end."""
    kind = container.format.name
    if kind in ENDLESS or kind in ("rtsp", "sdp"):
        return False
    return bool(container.duration) or (kind not in PLAYLISTS and container.size > 0)


def _reason(error: Exception, elapsed_s: float) -> str:
    text = getattr(error, "strerror", None) or "unknown error"
    if isinstance(error, (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError)):
        return "wrong user or password"
    if isinstance(error, av.error.HTTPNotFoundError):
        return "the camera answers, but has no such path"
    if isinstance(error, av.error.ExitError) or elapsed_s >= TIMEOUT_S:
        return f"no answer within {TIMEOUT_S:g} s"
    if isinstance(error, av.error.InvalidDataError):
        return "it answers, but sends no video that FFmpeg can read"
    return f"no answer, or wrong address, user or password ({text})"


def check_address(url: str) -> None:
    """Refuse an address whose password ends its host early, before anything is sent anywhere."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # ValueError where it is not a number
        wrong = parts.netloc.endswith(":") and "@" in url
    except ValueError:
        wrong = True
    if wrong:
        raise UsageError(f"{redact_address(url)} is not an address", ENCODE)


for _scheme in STREAMS:
    SCHEMES[_scheme] = open_stream
