"""Sources of frames: what a reader gives, and the registry of schemes that open one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge.camera.address import redact_address
from edge.errors import EdgeError, UsageError
from edge.samples.sample import Image


class CameraError(EdgeError):
    """A source of frames cannot be opened; the message names it without its password."""


class UnreadableFrame(EdgeError):
    """Frames of a source that cannot be decoded, while the source goes on.

    count: how many frames were lost.
    """

    def __init__(self, message: str, count: int = 1) -> None:
        super().__init__(message)
        self.count = count


@dataclass(frozen=True)
class Frame:
    """A frame of a source.

    Attributes:
        image: uint8 [H, W, 3] BGR.
        number: position in the source, from 0; unreadable frames count.
        at: seconds: Unix time for a live source, time since its beginning for a recording.
        arrived: `time.monotonic()` when the image was read.
        truth: bool [H, W], the true mask; known for rendered scenes only.
    """

    image: Image
    number: int
    at: float
    arrived: float
    truth: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class CameraEvent:
    """A change in the state of a source.

    Attributes:
        kind: `lost`, `back`, `frozen`, `moving` or `unreadable`.
        at: Unix time in seconds.
        text: message for the user, without passwords.
    """

    kind: str
    at: float
    text: str


class Reader(Protocol):
    """An open source.

    Attributes:
        live: frames arrive whether they are read or not.
        fps: frames per second; 0 if unknown.
    """

    live: bool
    fps: float

    def read(self) -> tuple[Image, npt.NDArray[np.bool_] | None] | None:
        """Return the next image and its true mask where known; None: the source ended or was lost.

        Raises:
            UnreadableFrame: the next frame cannot be decoded; the following read goes on after it.
        """

    def skip(self) -> bool:
        """Pass over the next frame without decoding it.

        Returns:
            False at the end of the source.

        Raises:
            UnreadableFrame: as `read`.
        """

    def close(self) -> None:
        """Release the source."""


Opener = Callable[[str], Reader]
"""Opens an address, its scheme in lower case; raises CameraError or UsageError."""
SCHEMES: dict[str, Opener] = {}
"""Openers by scheme. A module registers its own; edge/camera/schemes is imported as a whole."""


def open_reader(url: str) -> Reader:
    """Open a source by its address (docs/cameras.md); an address without scheme is a path.

    Raises:
        CameraError: the source cannot be opened.
        UsageError: the address is wrong.
    """
    from edge.camera import schemes

    schemes.load()
    scheme, mark, place = url.partition("://")
    if not mark:
        return SCHEMES["file"](url)
    opener = SCHEMES.get(scheme.lower())
    if opener is None:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise UsageError(
            f"{redact_address(url)}: unknown kind of source", f"known: a path, {known}"
        )
    return opener(f"{scheme.lower()}://{place}")
