"""Samples read into memory, each with the name of its sequence."""

from __future__ import annotations

from edge.errors import EdgeError
from edge.progress import note, track
from edge.samples.sample import Sample, Samples, evenly_spaced, iter_samples

Labelled = list[tuple[str, Sample]]
"""(sequence, sample)."""


def read_labelled(samples: Samples, count: int) -> Labelled:
    """Read at most `count` samples, evenly spaced; name those that cannot be read.

    Raises:
        EdgeError: No sample could be read.
    """
    indices = evenly_spaced(samples, count)
    labelled = list(track(iter_samples(samples, indices), len(indices), "reading samples"))
    report_skipped(samples.skipped)
    if not labelled:
        raise EdgeError(f"no sample of {samples.name} could be read")
    return labelled


def report_skipped(skipped: dict[str, str], most: int = 5) -> None:
    """Name samples that could not be read, with the reason, and count them."""
    for name, reason in list(skipped.items())[:most]:
        note(f"skipped {name}: {reason}")
    if skipped:
        note(f"{len(skipped)} samples could not be read and were left out")
