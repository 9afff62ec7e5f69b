"""The sources of samples by name, as `--samples` takes them."""

from __future__ import annotations

from edge.calibrate.rendering.samples import Rendered
from edge.samples import open as folders
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
