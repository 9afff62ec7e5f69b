"""Paths and file://: a video, an image, or a folder of images."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote

from edge.camera.address import redact_address
from edge.camera.source import SCHEMES, CameraError, Reader, UnreadableFrame
from edge.camera.video_file import VideoFile
from edge.errors import UsageError
from edge.samples.sample import Image, SampleError
from edge.samples.sequences import IMAGE_SUFFIXES, images_in, read_image


class Images:
    """Image files in the order of their names."""

    live, fps = False, 0.0

    def __init__(self, files: list[Path]) -> None:
        self._files = iter(files)

    def read(self) -> tuple[Image, None] | None:
        """Return the next image; None after the last file.

        Raises:
            UnreadableFrame: the file is not an image, or not a whole one.
        """
        file = next(self._files, None)
        if file is None:
            return None
        try:
            return read_image(file), None
        except SampleError as error:
            raise UnreadableFrame(str(error)) from error

    def skip(self) -> bool:
        """Pass over the next file."""
        return next(self._files, None) is not None

    def close(self) -> None:
        """Nothing is held open."""


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
        files = images_in(path)
        if not files:
            raise CameraError(f"no images in {path}")
        return Images(files)
    if not path.is_file():
        raise _not_a_file(url, path)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return Images([path])
    # FFmpeg takes what stands before a colon for a protocol, except in an absolute path.
    return VideoFile(os.path.abspath(path), path.suffix.lower(), str(path))


def _not_a_file(url: str, path: Path) -> CameraError | UsageError:
    if path.exists():
        hint = (
            f"a camera of this machine is v4l2://{path}" if str(path).startswith("/dev/v") else ""
        )
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
