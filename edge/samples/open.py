"""Open a folder of samples, whatever its layout."""

from __future__ import annotations

from pathlib import Path

from edge.samples.rgbd import Rgbd, is_rgbd
from edge.samples.sample import SampleError, Samples
from edge.samples.seed import SeedLayout, is_seed_layout
from edge.samples.sequences import Sequences, folders_of, is_sequence


def open_samples(place: str | Path) -> Samples:
    """Open a folder: labelled sequences, RGB-D folders, or the seed's layout.

    Raises:
        SampleError: It is none of these, or several.
    """
    folder = Path(place)
    if not folder.is_dir():
        raise SampleError(
            f"no folder {place}; expected a folder of labelled sequences, of RGB-D or in the seed's"
            " layout, or `rendered`"
        )
    if is_seed_layout(folder):
        return SeedLayout(folder)
    sequence = next(folders_of(folder, is_sequence), None)
    camera = next(folders_of(folder, is_rgbd), None)
    if sequence and camera:
        raise SampleError(
            f"{folder} holds labelled sequences ({sequence.relative_to(folder)}) and RGB-D"
            f" ({camera.relative_to(folder)})",
            "give the folder of one kind",
        )
    if sequence:
        return Sequences(folder)
    if camera:
        return Rgbd(folder)
    raise SampleError(
        f"{folder} holds no samples: expected input/ and groundtruth/ (a labelled sequence),"
        " rgb/ and depth/ (RGB-D), folders of such folders, or bg/, fg_bg/ and fg_bg_masks/"
        " (the seed's layout)"
    )
