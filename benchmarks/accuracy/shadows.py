"""Shadows that CDnet labels: how many of them a network takes for foreground."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.samples.image_file import read_stored
from edge.samples.sequences import LABELS

SHADOW = 50
"""CDnet's code of a hard shadow; to masks it is background."""


def labelled_shadow(sequences: Path, sample: str) -> npt.NDArray[np.bool_] | None:
    """The labelled shadow of a sample of a sequence.

    Args:
        sequences: Folder of the sequences.
        sample: Name of the sample, SEQUENCE/FRAME.

    Returns:
        bool [H, W]; None where no pixel is labelled a shadow.
    """
    scene, _, stem = sample.rpartition("/")
    file = sequences / scene / LABELS / f"{stem}.png"
    if not file.is_file():
        return None
    labels = read_stored(file)
    if labels.ndim == 3:
        labels = labels[..., 0]
    shadow = np.asarray(labels == SHADOW)
    return shadow if shadow.any() else None
