"""The sources of samples by name, as `--samples` takes them."""

from __future__ import annotations

from pathlib import Path

from edge.calibrate.rendering.samples import Rendered
from edge.samples.sample import SampleError, Samples
from edge.samples.seed import SeedLayout, is_seed_layout
from edge.samples.sequences import Sequences, is_sequence

RENDERED = "rendered"


def open_samples(place: str) -> Samples:
    """Open a source of samples.

    Args:
        place: `rendered[:COUNT[:SEED]]`, or a folder: a labelled sequence, a folder of sequences,
            or the seed's layout.

    Raises:
        SampleError: The place is none of these.
    """
    kind, *numbers = place.split(":")
    if kind == RENDERED:
        if len(numbers) > 2 or not all(number.isdigit() for number in numbers):
            raise SampleError(f"--samples {place}: expected rendered[:COUNT[:SEED]]")
        count, seed = [int(number) for number in numbers] + [64, 0][len(numbers) :]
        if count < 1:
            raise SampleError(f"--samples {place}: COUNT must be at least 1")
        return Rendered(count, seed=seed)
    folder = Path(place)
    if not folder.is_dir():
        raise SampleError(
            f"no folder {place}; --samples takes a folder of labelled sequences, a folder in the"
            f" seed's layout, or `{RENDERED}`"
        )
    if is_sequence(folder) or any(is_sequence(child) for child in folder.iterdir()):
        return Sequences(folder)
    if is_seed_layout(folder):
        return SeedLayout(folder)
    raise SampleError(
        f"{folder} holds no samples: expected input/ and groundtruth/ (a labelled sequence),"
        " folders of such sequences, or bg/, fg_bg/ and fg_bg_masks/ (the seed's layout)"
    )
