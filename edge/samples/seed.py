"""The seed's layout: one zip per background, read in place.

    bg/<bg>.jpg               backgrounds
    fg_bg/<bg>.zip            composites, members <bg>_..., JPEG or PNG whatever their suffix
    fg_bg_masks/<bg>.zip      masks, members of the same stems
    depth_maps/<bg>.zip       depth, 8 bit, members of the same stems (may be absent)
    recipe.json               {"near": "bright"} or {"near": "dark"}: which end of the depth is near

The seed's own depth maps are dark where the scene is near, which no file of theirs states. A wrong
guess would train inverted depth, so a folder with depth maps must state it.

A zip stays open for the life of its process: opening it takes longer than reading an image from it.
A writer that ran twice leaves duplicate members; the last one counts.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from pathlib import Path, PurePath

import cv2
import numpy as np
import numpy.typing as npt

from edge.samples.sample import BACKGROUND, FOREGROUND, IGNORED, Image, Sample, SampleError
from edge.samples.sequences import images_in, read_image

BG, FG_BG, MASKS, DEPTH = "bg", "fg_bg", "fg_bg_masks", "depth_maps"
RECIPE = "recipe.json"


def is_seed_layout(folder: Path) -> bool:
    """Tell whether a folder has the seed's layout."""
    return all((folder / part).is_dir() for part in (BG, FG_BG, MASKS))


class _Zips:
    """The open zips of one process; forked workers must not share a file position."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, Path], tuple[zipfile.ZipFile, dict[str, str]]] = {}

    def read(self, path: Path, stem: str) -> bytes:
        """Read the member of that stem, whatever its suffix; the last one of duplicates."""
        key = (os.getpid(), path)
        if key not in self._open:
            archive = zipfile.ZipFile(path)
            self._open[key] = archive, {PurePath(n).stem: n for n in archive.namelist()}
        archive, members = self._open[key]
        return archive.read(members[stem])

    def __getstate__(self) -> dict[str, object]:
        return {"_open": {}}


def from_alpha(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Convert a soft mask, uint8 [H, W], to labels; values from 64 to 191 become IGNORED."""
    labels = np.full(mask.shape, IGNORED, np.uint8)
    labels[mask < 64] = BACKGROUND
    labels[mask > 191] = FOREGROUND
    return labels


def near_is_bright(folder: Path) -> bool:
    """Read from recipe.json whether bright depth is near.

    Raises:
        SampleError: The folder does not state it.
    """
    path = folder / RECIPE
    try:
        near = json.loads(path.read_text())["near"] if path.is_file() else None
    except (ValueError, KeyError, TypeError):
        near = None
    if near not in ("bright", "dark"):
        raise SampleError(
            f"{folder / DEPTH}: unknown whether bright or dark is near",
            f"""for the seed's own zips: echo '{{"near": "dark"}}' > {path}""",
        )
    return bool(near == "bright")


class SeedLayout:
    """The composites of a folder in the seed's layout; depth in 0..1, near is large."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self.skipped: dict[str, str] = {}
        self._folder = folder
        self._zips = _Zips()
        self._backgrounds: dict[str, Image] = {}
        self._background_files = {path.stem: path for path in images_in(folder / BG)}
        self._members: list[tuple[str, str]] = []
        self._has_depth = (folder / DEPTH).is_dir()
        self._bright = self._has_depth and near_is_bright(folder)
        for path in sorted((folder / FG_BG).glob("*.zip")):
            try:
                with zipfile.ZipFile(path) as archive:
                    members = (n for n in archive.namelist() if not n.endswith("/"))
                    names = dict.fromkeys(PurePath(name).stem for name in members)
            except (zipfile.BadZipFile, OSError) as error:
                self.skipped[path.name] = f"cannot open the zip: {error}"
                continue
            self._members += [(path.stem, name) for name in names]
        if not self._members:
            reasons = "; ".join(self.skipped.values())
            raise SampleError(f"no composites in {folder / FG_BG}; {reasons or 'it has no zip'}")

    def __len__(self) -> int:
        return len(self._members)

    def sequence(self, index: int) -> str:
        """Return the name of the sample's background."""
        return self._members[index][0]

    def _decode(self, part: str, bg: str, member: str, flags: int) -> npt.NDArray[np.uint8]:
        path = self._folder / part / f"{bg}.zip"
        try:
            data = self._zips.read(path, member)
        except (KeyError, OSError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise SampleError(f"{part}/{bg}.zip: {member}: {error}") from error
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
        if image is None:
            raise SampleError(f"{part}/{bg}.zip: {member} is not an image")
        return np.asarray(image, np.uint8)

    def _background(self, name: str, size: tuple[int, int]) -> Image:
        if name not in self._backgrounds:
            if name not in self._background_files:
                raise SampleError(f"no background {BG}/{name}.jpg for {FG_BG}/{name}.zip")
            self._backgrounds[name] = read_image(self._background_files[name])
        image = self._backgrounds[name]
        if image.shape[:2] != size:
            image = np.asarray(
                cv2.resize(image, size[::-1], interpolation=cv2.INTER_CUBIC), np.uint8
            )
            self._backgrounds[name] = image
        return image

    def __getitem__(self, index: int) -> Sample:
        bg, member = self._members[index]
        name = f"{bg}/{member}"
        try:
            frame = self._decode(FG_BG, bg, member, cv2.IMREAD_COLOR)
            mask = self._decode(MASKS, bg, member, cv2.IMREAD_GRAYSCALE)
            depth = None
            if self._has_depth:
                grey = self._decode(DEPTH, bg, member, cv2.IMREAD_GRAYSCALE)
                depth = (grey if self._bright else 255 - grey).astype(np.float32) / np.float32(255)
            size = (frame.shape[0], frame.shape[1])
            return Sample(name, self._background(bg, size), frame, from_alpha(mask), depth)
        except (SampleError, ValueError) as error:
            self.skipped[name] = str(error)
            raise SampleError(str(error)) from error

    def fingerprint(self) -> str:
        """Hash the members' names and checksums, and the background files."""
        digest = hashlib.sha256(b"near is bright" if self._bright else b"")
        for part in (FG_BG, MASKS, DEPTH):
            for path in sorted((self._folder / part).glob("*.zip")):
                digest.update(f"{part}/{path.name}".encode())
                try:
                    with zipfile.ZipFile(path) as archive:
                        for info in archive.infolist():
                            digest.update(f"{info.filename} {info.CRC:08x}".encode())
                except zipfile.BadZipFile:
                    digest.update(b"broken")
        for file in self._background_files.values():
            digest.update(file.read_bytes())
        return digest.hexdigest()
