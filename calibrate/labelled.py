"""Samples read into memory, each with the name of its sequence."""

from __future__ import annotations

from edge.errors import EdgeError
from edge.progress import note, track
from edge.samples.footage import Footage
from edge.samples.sample import (
    FOREGROUND,
    IGNORED,
    Sample,
    SampleError,
    Samples,
    evenly_spaced,
    iter_samples,
)

Labelled = list[tuple[str, Sample]]
"""(sequence, sample)."""


def read_labelled(samples: Samples, count: int) -> Labelled:
    """Read at most `count` samples, evenly spaced; name those that cannot be read.

    Raises:
        EdgeError: No sample could be read, or no label counts.
    """
    indices = evenly_spaced(samples, count)
    labelled = list(track(iter_samples(samples, indices), len(indices), "reading samples"))
    report_skipped(samples.skipped)
    if not labelled:
        raise nothing_read(samples)
    masks = MaskCheck(samples.name)
    for _, sample in labelled:
        masks.add(sample)
    masks.report()
    return labelled


def read_footage(footage: Footage, count: int) -> Labelled:
    """Read at most `count` frames of footage, evenly spaced; name those that cannot be read."""
    indices = evenly_spaced(footage, count)
    frames = [(footage.sequence(index), footage[index]) for index in indices]
    report_skipped(footage.skipped, noun="frames")
    note(f"{len(frames)} frames of {footage.name}, which have no labels: nothing is scored on them")
    return frames


def nothing_read(samples: Samples) -> EdgeError:
    """The error for a source of which no sample could be read, with the first reason."""
    reason = next(iter(samples.skipped.values()), "")
    return EdgeError(
        f"no sample of {samples.name} could be read" + (f": {reason}" if reason else "")
    )


class MaskCheck:
    """Whether the masks of a set have foreground, and labels at all.

    Args:
        name: Of the set.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._foreground = self._labelled = self._depth = False

    def add(self, sample: Sample) -> None:
        """Take one sample into account."""
        if not self._foreground:
            self._foreground = bool((sample.mask == FOREGROUND).any())
            self._labelled = self._labelled or bool((sample.mask != IGNORED).any())
            self._depth = self._depth or sample.depth is not None

    def report(self) -> None:
        """Note that no mask has foreground, unless the set is one of depth.

        Raises:
            SampleError: Every pixel of every mask is ignored, and no sample has a depth.
        """
        if self._foreground or self._depth:
            return
        if not self._labelled:
            raise SampleError(
                f"every pixel of the masks of {self._name} is ignored",
                "labels count where they are 0 (background), 50 (shadow) or 255 (foreground)",
            )
        note(f"warning: no mask of {self._name} has foreground, every labelled pixel is background")


def report_skipped(skipped: dict[str, str], most: int = 5, noun: str = "samples") -> None:
    """Name samples or files that could not be read, with the reason, and count them.

    Args:
        skipped: The reason by name.
        most: How many are named.
        noun: What they are called.
    """
    for name, reason in list(skipped.items())[:most]:
        note(f"skipped {name}: {reason}")
    if skipped:
        note(f"{len(skipped)} {noun} could not be read and were left out")
