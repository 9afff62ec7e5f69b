"""Sources of frames: what a reader gives, and the registry of schemes that open one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

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
    cut_off: the recording ends before its header says so.
    """

    def __init__(self, message: str, count: int = 1, cut_off: bool = False) -> None:
        super().__init__(message)
        self.count, self.cut_off = count, cut_off


@dataclass(frozen=True)
class Frame:
    """A frame of a source.

    Attributes:
        image: uint8 [H, W, 3] BGR.
        number: position in the source, from 0; unreadable frames count.
        at: seconds: edge.clock.steady() for a live source, time since its beginning for a
            recording, by its time stamps.
        arrived: `time.monotonic()` when the image was read.
        truth: bool [H, W], the true mask; known for rendered scenes only.
        decode_ms: milliseconds of decoding.
    """

    image: Image
    number: int
    at: float
    arrived: float
    truth: npt.NDArray[np.bool_] | None = None
    decode_ms: float = 0.0


class Decoded(NamedTuple):
    """What a reader gives of a frame.

    Attributes:
        image: uint8 [H, W, 3] BGR; uint16 [H, W] or [H, W, 3] before it is converted.
        truth: bool [H, W], the true mask where it is known.
        at: seconds since the source began, by its time stamps; None without time stamps.
        decode_ms: milliseconds of decoding, without waiting for the source.
    """

    image: npt.NDArray[Any]
    truth: npt.NDArray[np.bool_] | None = None
    at: float | None = None
    decode_ms: float = 0.0


@dataclass(frozen=True)
class CameraEvent:
    """A change in the state of a source.

    Attributes:
        kind: `lost`, `back`, `frozen`, `moving` or `unreadable`; of a scene as of
            edge.loop.pipeline.FrameResult; of a build as of edge.watch.shadow.Shadow.
        at: edge.clock.steady(); of a scene as of its frame.
        text: message for the user, without passwords.
    """

    kind: str
    at: float
    text: str


class Reader(Protocol):
    """An open source.

    Attributes:
        live: frames arrive whether they are read or not.
        fps: frames per second, the average of a variable rate; 0 if unknown.
    """

    @property
    def live(self) -> bool: ...

    @property
    def fps(self) -> float: ...

    def read(self) -> Decoded | None:
        """Return the next frame; None: the source ended or was lost.

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


def open_stored(url: str) -> Reader:
    """Open a source whose frames keep their 16 bits; errors as of `open_reader`."""
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
