"""The bank of a camera: its backgrounds by their light, each a file on disk.

A file is a NumPy archive, written whole or not at all: `image`, `confidence` and `spread` (which
may be missing) are PNGs, `levels` is the light in which it was learned, `about` JSON.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge import strict_json
from edge.errors import EdgeError
from edge.files import NotWritten, atomic_write
from edge.progress import note
from edge.scene.background import Background
from edge.scene.light import CELLS, Light, light_of

MOST = 4
"""Backgrounds of a bank."""

SCHEMA = 1
IMAGES = {"image": cv2.IMREAD_COLOR, "confidence": cv2.IMREAD_GRAYSCALE, "spread": cv2.IMREAD_COLOR}


@dataclass
class Entry:
    """A background of the bank.

    Attributes:
        number: its place on disk.
        background: as it is now.
        anchor: the light in which it was learned.
        used: when it was last in use, in the time of the frames.
    """

    number: int
    background: Background
    anchor: Light
    used: float


def first_entry(background: Background, number: int = 0, used: float = 0.0) -> Entry:
    """The entry of a background in its own light."""
    return Entry(number, background, light_of(background.image), used)


class BankFolder:
    """The files of one camera.

    Args:
        folder: made when something is written.
        origin: what the bank belongs to, as source and given background; files of another origin
            are left out, and overwritten.
        value_range: of a 16-bit source, as text; None where it has 8 bits.
        tell: gets a sentence about what cannot be read or written.

    Attributes:
        value_range: that of the files, once they were read.
    """

    def __init__(
        self,
        folder: Path,
        origin: str,
        value_range: str | None = None,
        tell: Callable[[str], None] = note,
    ) -> None:
        self.folder, self._origin, self.value_range, self._tell = folder, origin, value_range, tell
        self._full = False

    def read(self) -> list[Entry]:
        """The entries, the last used first; none where nothing was learned."""
        entries = []
        for number in range(MOST):
            path = self._path(number)
            if not path.is_file():
                continue
            try:
                entry = self._read(path, number)
            except (
                OSError, EOFError, ValueError, KeyError, TypeError, EdgeError, zipfile.BadZipFile,
                NotImplementedError, cv2.error,
            ) as error:  # fmt: skip
                self._tell(f"{path} is damaged ({_reason(error)}); it is removed and learned again")
                self.forget(number)
                continue
            if entry is None:
                self.forget(number)
            else:
                entries.append(entry)
        shapes = [entry.background.image.shape for entry in entries]
        entries.sort(key=lambda entry: entry.used, reverse=True)
        return [each for each in entries if each.background.image.shape == shapes[0]]

    def write(self, entry: Entry) -> None:
        """Write an entry in place of the one of its number; says once that it cannot."""
        background = entry.background
        images = {"image": background.image, "confidence": background.confidence}
        if background.spread is not None:
            images["spread"] = background.spread
        about = {
            "schema": SCHEMA,
            "origin": self._origin,
            "range": self.value_range,
            "used": entry.used,
            "colour": entry.anchor.colour,
        }
        arrays: dict[str, npt.NDArray[Any]] = {
            name: cv2.imencode(".png", image)[1] for name, image in images.items()
        }
        arrays["levels"] = entry.anchor.levels
        arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
        try:
            with atomic_write(self._path(entry.number)) as draft, draft.open("wb") as stream:
                np.savez(stream, allow_pickle=False, **arrays)
        except NotWritten as error:
            if not self._full:
                self._tell(f"{error}; what is learned is lost at the end")
            self._full = True
        else:
            self._full = False

    def forget(self, number: int) -> None:
        """Remove an entry."""
        with suppress(OSError):
            self._path(number).unlink()

    def _path(self, number: int) -> Path:
        return self.folder / f"{number}.npz"

    def _read(self, path: Path, number: int) -> Entry | None:
        """An entry; None where it is of another origin."""
        with np.load(path, allow_pickle=False) as archive:
            about = strict_json.parse(archive["about"].tobytes())
            if about["schema"] != SCHEMA or about["origin"] != self._origin:
                return None
            images = {
                name: _decoded(archive[name], flag, name)
                for name, flag in IMAGES.items()
                if name in archive
            }
            levels = np.asarray(archive["levels"], np.float32)
        if levels.shape != (*CELLS, 3) or not np.isfinite(levels).all():
            raise ValueError(f"levels are {list(levels.shape)}, expected {[*CELLS, 3]}")
        image, confidence = images["image"], images["confidence"]
        if confidence.shape != image.shape[:2]:
            raise ValueError("image and confidence have different sizes")
        light = Light(levels, float(about["colour"]))
        self.value_range = about["range"]
        background = Background(image, confidence, images.get("spread"))
        return Entry(number, background, light, float(about["used"]))


def _decoded(data: npt.NDArray[Any], flag: int, name: str) -> npt.NDArray[np.uint8]:
    image = cv2.imdecode(np.asarray(data, np.uint8).ravel(), flag)
    if image is None:
        raise ValueError(f"{name} is no image")
    return np.asarray(image, np.uint8)


def _reason(error: Exception) -> str:
    text = str(error).splitlines()
    return text[0] if text and text[0] else type(error).__name__
