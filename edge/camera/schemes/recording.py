"""Paths and file://: a video, an image, or a folder of images."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from urllib.parse import unquote

import av
import av.error

from edge.camera.address import redact_address
from edge.camera.images import Images
from edge.camera.source import SCHEMES, CameraError, Reader
from edge.camera.video_file import VideoFile
from edge.errors import UsageError
from edge.samples.image_file import IMAGE_SUFFIXES, images_in
from edge.samples.sequences import frames_of, is_sequence, natural

INDEXED = {".mp4", ".mov", ".m4v"}
"""Containers that a recorder makes playable when it closes them."""


def path_of(url: str) -> Path:
    """Return the path of an address without scheme or of file://, percent-decoded."""
    scheme, mark, place = url.partition("://")
    if not mark or scheme.lower() != "file":
        return Path(url)
    place = place.removeprefix("localhost") if place.startswith("localhost/") else place
    decoded = Path(unquote(place))
    return decoded if decoded.exists() else Path(place)


def open_recording(url: str) -> Reader:
    """Open a path or a file:// address."""
    path = path_of(url)
    if path.is_dir():
        files = frames_of(path) if is_sequence(path) else sorted(images_in(path), key=natural)
        if not files:
            raise CameraError(f"no images in {path}")
        return Images(files)
    if not path.is_file():
        raise _not_a_file(url, path)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return Images([path])
    return _open_video(path)


def _open_video(path: Path) -> VideoFile:
    if not path.stat().st_size:
        raise CameraError(f"cannot open {path}: it is empty")
    try:
        # FFmpeg takes what stands before a colon for a protocol, except in an absolute path.
        container = av.open(os.path.abspath(path))
    except (av.error.FFmpegError, OSError) as error:
        if isinstance(error, av.error.InvalidDataError):
            cut = ", or its recorder did not close it" if path.suffix.lower() in INDEXED else ""
            reason = f"it is not a video that FFmpeg can read{cut}"
        else:
            reason = getattr(error, "strerror", None) or "unknown error"
        raise CameraError(f"cannot open {path}: {reason}") from None
    try:
        return VideoFile(container, str(path))
    except CameraError:
        container.close()
        raise


def _not_a_file(url: str, path: Path) -> CameraError | UsageError:
    if path.exists():
        mode = path.stat().st_mode
        if stat.S_ISFIFO(mode):
            return CameraError(
                f"{path} is a pipe, expected a file or a folder",
                "send the stream to an address: ffmpeg ... -f mpegts udp://127.0.0.1:5000",
            )
        camera = str(path).startswith("/dev/v")
        hint = f"a camera of this machine is v4l2://{path}" if camera else ""
        return CameraError(f"{path} is neither a file nor a folder", hint)
    if "@" in url:
        return UsageError(
            f"{redact_address(url)}: no such file",
            "a camera's address is written as rtsp://USER:PASSWORD@HOST/PATH",
        )
    if url.isdigit():
        return UsageError(f"{url}: no such file", f"a camera of this machine is v4l2://{url}")
    return CameraError(f"no file or folder {path}")


SCHEMES["file"] = open_recording
