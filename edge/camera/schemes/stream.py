"""rtsp://, http:// and the like: network streams, by FFmpeg."""

from __future__ import annotations

from urllib.parse import urlsplit

import cv2

from edge.camera.address import STREAMS, redact_address
from edge.camera.capture import Capture
from edge.camera.source import SCHEMES, CameraError, Reader
from edge.errors import UsageError

ENCODE = "in a user or password write %2F for /, %23 for #, %3F for ?, %40 for @ and %3A for :"


def open_stream(url: str) -> Reader:
    """Open a network stream."""
    name = redact_address(url)
    _check_address(url)
    try:
        return Capture(url, cv2.CAP_FFMPEG, name, "no answer, or wrong address, user or password")
    except CameraError as error:
        account = url.partition("://")[2].rpartition("@")[0]
        if any(character in account for character in "/#?@"):
            raise CameraError(error.message, ENCODE) from error
        raise


def _check_address(url: str) -> None:
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
