"""The sources of samples by name, as `--samples` takes them."""

from __future__ import annotations

from pathlib import Path

from edge.calibrate.rendering.samples import Rendered
from edge.samples import open as folders
from edge.samples.footage import Footage, is_footage
from edge.samples.sample import SampleError, Samples

RENDERED = "rendered"


def open_samples(place: str) -> Samples:
    """Open a source of samples.

    Args:
        place: `rendered[:COUNT[:SEED]]`, or a folder that `edge.samples.open` reads.

    Raises:
        SampleError: The place is none of these.
    """
    kind, *numbers = place.split(":")
    if kind != RENDERED:
        return folders.open_samples(place)
    if len(numbers) > 2 or not all(number.isdigit() for number in numbers):
        raise SampleError(f"--samples {place}: expected rendered[:COUNT[:SEED]]")
    count, seed = [int(number) for number in numbers] + [64, 0][len(numbers) :]
    if count < 1:
        raise SampleError(f"--samples {place}: COUNT must be at least 1")
    return Rendered(count, seed=seed)


def open_calibration(place: str) -> Samples:
    """Open a source of samples for activation ranges, which need no labels.

    Args:
        place: As of `open_samples`, or footage: a video, or a folder of the frames of one camera.

    Raises:
        SampleError: The place is none of these.
    """
    try:
        return open_samples(place)
    except SampleError:
        if is_footage(Path(place)):
            return Footage(Path(place))
        raise
