"""Labelled sequences of fixed cameras, in the layout of CDnet and SBI.

    <name>/bg.png                  the background
           input/NNNNNN.jpg        frames
           groundtruth/NNNNNN.png  label codes, one channel, same stem

Codes (CDnet 2014, Goyette et al.): 255 moving, 0 static, 50 hard shadow, 85 outside the region of
interest, 170 unknown. Shadow counts as background; 85 and 170 are ignored.
"""

from __future__ import annotations

import hashlib
from glob import iglob
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.samples.sample import BACKGROUND, FOREGROUND, IGNORED, Image, Sample, SampleError

CODES = {0: BACKGROUND, 50: BACKGROUND, 85: IGNORED, 170: IGNORED, 255: FOREGROUND}

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


def is_sequence(folder: Path) -> bool:
    """Tell whether a folder is one labelled sequence."""
    return (folder / "input").is_dir() and (folder / "groundtruth").is_dir()


def from_codes(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Convert CDnet codes, uint8 [H, W], to labels; other values (JPEG edges) become IGNORED."""
    table = np.full(256, IGNORED, np.uint8)
    for code, label in CODES.items():
        table[code] = label
    return np.asarray(table[labels], np.uint8)


def images_in(folder: Path) -> list[Path]:
    """List the image files below a folder, sorted; links to folders are followed."""
    below = (folder / name for name in iglob("**/*", root_dir=folder, recursive=True))
    return sorted(path for path in below if path.suffix.lower() in IMAGE_SUFFIXES)


def read_image(path: Path) -> Image:
    """Read an image file as uint8 [H, W, 3] BGR; SampleError where it cannot be read."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise SampleError(f"cannot read an image from {path}")
    return np.asarray(image, np.uint8)


class Sequences:
    """The labelled frames of a sequence folder, or of all sequences in a folder."""

    def __init__(self, folder: Path) -> None:
        folders = [folder] if is_sequence(folder) else sorted(filter(is_sequence, folder.iterdir()))
        self.name = folder.name
        self.skipped: dict[str, str] = {}
        self._frames: list[tuple[Path, Path]] = []
        self._backgrounds: dict[Path, Image] = {}
        for sequence in folders:
            labels = {path.stem: path for path in images_in(sequence / "groundtruth")}
            frames = images_in(sequence / "input")
            self._frames += [(f, labels[f.stem]) for f in frames if f.stem in labels]
        if not self._frames:
            raise SampleError(f"no labelled frames in {folder}")

    def __len__(self) -> int:
        return len(self._frames)

    def sequence(self, index: int) -> str:
        """Return the name of the sample's folder."""
        return self._frames[index][0].parent.parent.name

    def __getitem__(self, index: int) -> Sample:
        frame, label = self._frames[index]
        folder = frame.parent.parent
        name = f"{folder.name}/{frame.stem}"
        try:
            if folder not in self._backgrounds:
                self._backgrounds[folder] = read_image(folder / "bg.png")
            labels = cv2.imread(str(label), cv2.IMREAD_GRAYSCALE)
            if labels is None:
                raise SampleError(f"cannot read labels from {label}")
            image = read_image(frame)
            mask = from_codes(np.asarray(labels, np.uint8))
            return Sample(name, self._backgrounds[folder], image, mask)
        except (SampleError, ValueError) as error:
            self.skipped[name] = str(error)
            raise SampleError(str(error)) from error

    def fingerprint(self) -> str:
        """Hash the bytes of all backgrounds, frames and labels."""
        digest = hashlib.sha256()
        for folder in sorted({frame.parent.parent for frame, _ in self._frames}):
            bg = folder / "bg.png"
            digest.update(bg.read_bytes() if bg.is_file() else b"none")
        for pair in self._frames:
            for path in pair:
                digest.update(f"{path.parent.name}/{path.name}".encode())
                digest.update(path.read_bytes())
        return digest.hexdigest()
