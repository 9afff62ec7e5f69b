"""The images of one part of a data set: a zip, or the folder that it was unpacked to."""

from __future__ import annotations

import lzma
import os
import shlex
import zipfile
import zlib
from collections import Counter, OrderedDict
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Protocol

from edge.samples.image_file import IMAGE_SUFFIXES, images_in, read_bytes
from edge.samples.sample import SampleError

METHODS = {9: "Deflate64", 93: "Zstandard", 95: "XZ", 97: "WavPack", 98: "PPMd", 99: "AES"}
"""Compression methods of zips that Python before 3.14 cannot read."""
UNREADABLE = (
    KeyError, OSError, EOFError, NotImplementedError, RuntimeError, ValueError,
    zipfile.BadZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip


LARGEST = 500_000_000
"""Bytes of an image of a zip: a few bytes in a zip may be any number of zeros."""
MAX_OPEN = 256
"""Zips that a process keeps open; systems allow it about 1000 files."""
LONGEST_NAME, LONGEST_REASON = 255, 200
"""Letters of a member's name that is read, and of what zipfile says, which repeats bytes of the
file."""
_OPEN: OrderedDict[tuple[int, int], zipfile.ZipFile] = OrderedDict()
"""Open zips by process and number, the least recently used first. Forked workers must not share a
file position, so each process opens its own."""
_NUMBERS = count()


class Archive(Protocol):
    """Images by their path.

    Attributes:
        names: Paths with `/`, in their order; without folders, hidden files and other files.
        refused: Images that cannot be read, with the reason.
    """

    names: list[str]
    refused: dict[str, str]

    def read(self, name: str) -> bytes:
        """Return the bytes of an image; SampleError where it cannot be read."""
        ...

    def digest(self) -> bytes:
        """Return bytes that change with the images."""
        ...


def archives_in(folder: Path) -> dict[str, Path]:
    """List zips and folders of images by their name without suffix; of both, the folder."""
    if not folder.is_dir():
        return {}
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    archives = {path.stem: path for path in entries if path.suffix.lower() == ".zip"}
    folders = {
        path.name: path
        for path in entries
        if path.is_dir() and path.name != "__MACOSX" and next(iter(images_in(path)), None)
    }
    return dict(sorted((archives | folders).items()))


def open_archive(path: Path) -> Archive:
    """Open a zip or a folder; SampleError where it is no zip."""
    return FolderArchive(path) if path.is_dir() else ZipArchive(path)


class FolderArchive:
    """The images of a folder and its subfolders."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.names = [file.relative_to(path).as_posix() for file in images_in(path)]
        self.refused: dict[str, str] = {}

    def read(self, name: str) -> bytes:
        """Return the bytes of an image."""
        return read_bytes(self._path / name)

    def digest(self) -> bytes:
        """Return names and checksums."""
        parts = (f"{name} {zlib.crc32(self.read(name)):08x}" for name in self.names)
        return "".join(parts).encode()


class ZipArchive:
    """The images of a zip, which stays open: opening it takes longer than reading an image.

    A writer that ran twice leaves duplicate members; the last one counts.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = next(_NUMBERS)
        self.names: list[str] = []
        self.refused: dict[str, str] = {}
        for info in {info.filename: info for info in self._zip().infolist()}.values():
            if not _is_image(info.filename):
                continue
            reason = self._unreadable(info)
            if info.file_size > LARGEST:
                reason = f"it has {info.file_size / 1e6:.0f} MB, expected at most {LARGEST / 1e6:g}"
            if len(info.filename) > LONGEST_NAME:
                reason = (
                    f"its name has {len(info.filename)} letters, expected at most {LONGEST_NAME}"
                )
            if reason:
                self.refused[info.filename] = reason
            else:
                self.names.append(info.filename)

    def _zip(self) -> zipfile.ZipFile:
        key = (os.getpid(), self._number)
        if key in _OPEN:
            _OPEN.move_to_end(key)
        else:
            try:
                _OPEN[key] = zipfile.ZipFile(self._path)
            except UNREADABLE as error:
                reason = str(error)[:LONGEST_REASON]
                raise SampleError(f"cannot open the zip: {reason}") from error
            while len(_OPEN) > MAX_OPEN:
                _OPEN.popitem(last=False)[1].close()
        return _OPEN[key]

    def _unreadable(self, info: zipfile.ZipInfo) -> str:
        """Why a member cannot be read, and the command that unpacks it; empty where it can."""
        path, folder = (shlex.quote(str(p)) for p in (self._path, self._path.with_suffix("")))
        unpack = f"unpack it: 7z x {path} -o{folder} && rm {path}"
        if info.flag_bits & 0x1:
            return f"it is encrypted; {unpack}"
        known = {
            zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA,
            getattr(zipfile, "ZIP_ZSTANDARD", zipfile.ZIP_STORED),
        }  # fmt: skip
        if info.compress_type in known:
            return ""
        method = METHODS.get(info.compress_type, f"method {info.compress_type}")
        return f"it is compressed with {method}, which Python cannot read; {unpack}"

    def read(self, name: str) -> bytes:
        """Return the bytes of an image."""
        try:
            return self._zip().read(name)
        except UNREADABLE as error:
            raise SampleError(str(error)[:LONGEST_REASON]) from error

    def digest(self) -> bytes:
        """Return names and checksums of all members."""
        members = self._zip().infolist()
        return "".join(f"{info.filename} {info.CRC:08x}" for info in members).encode()


def _is_image(name: str) -> bool:
    """Whether a member may be an image: a name without suffix may be one too."""
    path = PurePosixPath(name)
    hidden = any(
        (part.startswith(".") and part != "..") or part == "__MACOSX" for part in path.parts
    )
    named = bool(path.name) and not name.endswith("/")
    return named and not hidden and path.suffix.lower() in IMAGE_SUFFIXES | {""}


def reasons(refused: dict[str, str]) -> str:
    """Sum up refused images: each reason with its count."""
    counts = Counter(refused.values())
    return "; ".join(f"{number} images: {reason}" for reason, number in counts.most_common())
