"""Labelled sequences of fixed cameras, in the layout of CDnet and SBI.

    <name>/bg.png                  the background; without it, a median of the empty pixels
           bg.spread.png           its spread (edge.scene.spread; may be absent)
           input/NNNNNN.jpg        frames, also inNNNNNN.jpg
           groundtruth/NNNNNN.png  label codes of the same stem or number, also gtNNNNNN.png
           temporalROI.txt         first and last number of the labelled frames (may be absent)
           ROI.bmp, ROI.jpg        white inside the region of interest (may be absent)

CDnet as it is downloaded (folders of categories with folders of sequences) is read in place. Codes
(CDnet 2014, Goyette et al.): 255 moving, 0 static, 50 hard shadow, 85 outside the region of
interest, 170 unknown. Shadow counts as background; 85 and 170 are ignored. Other ways to write
masks are read as masks.py says.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.progress import note
from edge.samples.image_file import images_in, read_image, read_stored
from edge.samples.masks import MaskSet
from edge.samples.median import EmptyMedian, empty_median
from edge.samples.pairing import number_of, pair
from edge.samples.sample import IGNORED, Image, Sample, SampleError

INPUT, LABELS = "input", "groundtruth"
BACKGROUND_NAMES = ("bg.png", "bg.jpg", "bg.jpeg", "bg.bmp", "background.png", "background.jpg")
SPREAD = ".spread.png"
"""In place of the suffix of the background's file."""
ROI_NAMES = ("ROI.bmp", "ROI.jpg", "ROI.png")
TEMPORAL_ROI = "temporalROI.txt"
DEPTH_OF_FOLDERS = 3
"""Levels of folders below the one that is given: dataset2014/dataset/baseline/highway."""


def is_sequence(folder: Path) -> bool:
    """Tell whether a folder is one labelled sequence."""
    return (folder / INPUT).is_dir() and (folder / LABELS).is_dir()


def folders_of(
    folder: Path,
    is_wanted: Callable[[Path], bool],
    depth: int = DEPTH_OF_FOLDERS,
    above: tuple[str, ...] = (),
) -> Iterator[Path]:
    """Find the folders of one kind in a folder, sorted; the folder itself may be one.

    A link to a folder `above` is a loop and passed over.
    """
    real = os.path.realpath(folder)
    if real in above:
        return
    if is_wanted(folder):
        yield folder
    elif depth:
        for child in sorted(folder.iterdir()):
            if child.is_dir() and not child.name.startswith("."):
                yield from folders_of(child, is_wanted, depth - 1, (*above, real))


def frames_of(folder: Path) -> list[Path]:
    """List all frames of a labelled sequence in the order of their numbers, labelled or not.

    Raises:
        SampleError: There is none.
    """
    files = images_in(folder / INPUT)
    if not files:
        raise SampleError(f"no frames in {folder / INPUT}")
    return sorted(files, key=natural)


def background_of(folder: Path) -> tuple[Image, Image | None]:
    """Return the background of a labelled sequence, its bg.png or a median of empty pixels, and its
    spread, where it has one.

    Returns:
        uint8 [H, W, 3] BGR each.

    Raises:
        SampleError: There is no background, the spread cannot be read, or has another size.
    """
    sequence = LabelledSequence(folder, folder.name)
    image, spread = sequence.background.image, sequence.spread
    if spread is not None and spread.shape != image.shape:
        sizes = [f"{width}x{height}" for height, width, _ in (spread.shape, image.shape)]
        raise SampleError(f"{folder}: the spread is {sizes[0]}, the background {sizes[1]}")
    return image, spread


def natural(path: Path) -> list[int | str]:
    """A key that sorts 2.png before 10.png."""
    parts = re.split(r"(\d+)", path.as_posix())
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]


class LabelledSequence:
    """One labelled sequence.

    Args:
        folder: Of the sequence.
        name: For messages and scores.

    Attributes:
        pairs: (frame, label) of every frame that has a label, within temporalROI.txt.
        alone: Frames and labels without a partner, with the reason.

    Raises:
        SampleError: temporalROI.txt or the region of interest cannot be read.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        frames = {path.relative_to(folder / INPUT).as_posix(): path
                  for path in images_in(folder / INPUT)}  # fmt: skip
        labels = {path.relative_to(folder / LABELS).as_posix(): path
                  for path in images_in(folder / LABELS)}  # fmt: skip
        paired = pair(list(frames), list(labels), "label")
        within = self._within()
        self.pairs = [
            (frames[frame], labels[label])
            for frame, label in paired.labels.items()
            if within(frame)
        ]
        self.alone = {name: why for name, why in paired.alone.items() if within(name)}
        self._masks = MaskSet(
            [str(label) for _, label in self.pairs],
            read_stored,
            codes=True,
        )
        self._background: EmptyMedian | SampleError | None = None
        self._outside: npt.NDArray[np.bool_] | None = None

    def _within(self) -> Callable[[str], bool]:
        """Whether a frame lies in temporalROI.txt; every frame does where there is none."""
        path = self.folder / TEMPORAL_ROI
        if not path.is_file():
            return lambda name: True
        words = path.read_text("utf-8-sig", errors="replace").split()
        numbers = [int(word) for word in words if word.isdecimal()]
        if len(words) != 2 or len(numbers) != 2 or numbers[0] > numbers[1]:
            raise SampleError(
                f"{path} holds {' '.join(words)[:40]!r}, expected the first and the last frame's"
                " number"
            )
        first, last = numbers

        def inside(name: str) -> bool:
            number = number_of(name)
            return number is None or first <= number <= last

        return inside

    @property
    def background(self) -> EmptyMedian:
        """The background, read or made once; SampleError where neither can be."""
        if self._background is None:
            file = self._file(BACKGROUND_NAMES)
            try:
                self._background = (
                    EmptyMedian(read_image(file), None, 0) if file else self._median()
                )
            except SampleError as error:
                self._background = error
        if isinstance(self._background, SampleError):
            raise SampleError(self._background.message, self._background.hint)
        return self._background

    @cached_property
    def spread(self) -> Image | None:
        """The spread beside the background's file; SampleError where it cannot be read."""
        file = self._spread_file()
        return None if file is None else read_image(file)

    def _spread_file(self) -> Path | None:
        bg = self._file(BACKGROUND_NAMES)
        spread = None if bg is None else bg.with_suffix(SPREAD)
        return spread if spread is not None and spread.is_file() else None

    def _median(self) -> EmptyMedian:
        if not self.pairs:
            raise SampleError(f"{self.folder} has no bg.png, and no labelled frames to make it of")
        median = empty_median(self.pairs, lambda label: self._masks.labels(str(label)))
        unseen = "" if median.unseen is None else (
            f"; {100 * median.unseen.mean():.1f} % of it was never empty and is ignored"
        )  # fmt: skip
        note(
            f"{self.name}: no bg.png; the background is the median of the empty pixels of"
            f" {median.frames} labelled frames{unseen}"
        )
        return median

    def _file(self, names: tuple[str, ...]) -> Path | None:
        files = (self.folder / name for name in names)
        return next((file for file in files if file.is_file()), None)

    def _ignored(self, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """Pixels that no label counts: outside the region of interest."""
        if self._outside is None:
            file = self._file(ROI_NAMES)
            if file is None:
                return np.zeros(shape, np.bool_)
            self._outside = read_image(file).max(axis=2) < 128
        if self._outside.shape != shape:
            height, width = self._outside.shape
            raise SampleError(
                f"the region of interest is {width}x{height}, labels are {shape[1]}x{shape[0]}"
            )
        return self._outside

    def read(self, index: int) -> Sample:
        """Read a labelled frame; SampleError or ValueError where it cannot be read."""
        frame, label = self.pairs[index]
        labels = self._masks.labels(str(label))
        labels[self._ignored(labels.shape)] = IGNORED
        image, background = read_image(frame), self.background
        if background.unseen is not None and background.unseen.shape == labels.shape:
            labels[background.unseen] = IGNORED
        return Sample(self.sample_name(index), background.image, image, labels, spread=self.spread)

    def sample_name(self, index: int) -> str:
        """Return sequence and frame."""
        return f"{self.name}/{self.pairs[index][0].stem}"

    def update(self, digest: Any) -> None:
        """Add the bytes of the background and of its spread to a hash."""
        file = self._file(BACKGROUND_NAMES)
        digest.update(file.read_bytes() if file else b"none")
        if spread := self._spread_file():
            digest.update(spread.read_bytes())
        for name in (*ROI_NAMES, TEMPORAL_ROI):
            if (self.folder / name).is_file():
                digest.update((self.folder / name).read_bytes())


class Sequences:
    """The labelled frames of a sequence folder, or of all sequences in a folder."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self.skipped: dict[str, str] = {}
        self._sequences: list[LabelledSequence] = []
        folders = list(folders_of(folder, is_sequence))
        unique = len({path.name for path in folders}) == len(folders)
        for path in folders:
            name = path.name if unique else path.relative_to(folder).as_posix()
            try:
                sequence = LabelledSequence(path, name)
            except SampleError as error:
                self.skipped[name] = str(error)
                continue
            self._sequences.append(sequence)
            self.skipped |= {f"{name}/{file}": why for file, why in sequence.alone.items()}
        self._frames = [
            (sequence, index)
            for sequence in self._sequences
            for index in range(len(sequence.pairs))
        ]
        if not self._frames:
            first: dict[str, str] = {}
            for name, why in self.skipped.items():
                first.setdefault(why, name)
            causes = "; ".join(f"{name}: {why}" for why, name in first.items())
            raise SampleError(f"no labelled frames in {folder}" + (f"; {causes}" if causes else ""))

    def __len__(self) -> int:
        return len(self._frames)

    def sequence(self, index: int) -> str:
        """Return the name of the sample's folder."""
        return self._frames[index][0].name

    def __getitem__(self, index: int) -> Sample:
        sequence, number = self._frames[index]
        try:
            return sequence.read(number)
        except (SampleError, ValueError) as error:
            self.skipped[sequence.sample_name(number)] = str(error)
            raise SampleError(str(error)) from error

    def fingerprint(self) -> str:
        """Hash the bytes of all backgrounds, frames and labels."""
        digest = hashlib.sha256()
        for sequence in self._sequences:
            if sequence.pairs:
                sequence.update(digest)
        for sequence, number in self._frames:
            for path in sequence.pairs[number]:
                digest.update(f"{path.parent.name}/{path.name}".encode())
                digest.update(path.read_bytes())
        return digest.hexdigest()
