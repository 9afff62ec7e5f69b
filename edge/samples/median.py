"""The median of images over those that show a pixel empty: the background of labelled frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.samples.image_file import read_image
from edge.samples.sample import BACKGROUND, Image, SampleError

MAX_FRAMES, MAX_BYTES = 160, 250_000_000
"""Frames that a background is made of, evenly spaced: at most so many, and of so many bytes."""
MARGIN = 7
"""Pixels within a square of this side around foreground count as covered."""
ROWS = 32
"""Rows of the images whose values are sorted at a time."""


@dataclass(frozen=True)
class EmptyMedian:
    """A background.

    Attributes:
        image: uint8 [H, W, 3] BGR.
        unseen: bool [H, W], pixels that no frame shows empty; None where there is none.
        frames: Number of frames that it was made of; 0 of one that was read.
    """

    image: Image
    unseen: npt.NDArray[np.bool_] | None
    frames: int


def empty_median(
    pairs: Sequence[tuple[Path, Path]], labels_of: Callable[[Path], npt.NDArray[np.uint8]]
) -> EmptyMedian:
    """Make the background of labelled frames.

    Pixels that no frame shows empty get the median of all frames.

    Args:
        pairs: (frame, label), at least one.
        labels_of: Reads a label file as labels.

    Raises:
        SampleError: No frame can be read, or all of it is always covered.
    """
    images: list[Image] = []
    covers: list[npt.NDArray[np.uint8]] = []
    square = np.ones((MARGIN, MARGIN), np.uint8)
    limit, reason = MAX_FRAMES, ""
    for frame, label in _evenly(pairs, MAX_FRAMES):
        if len(images) >= limit:
            break
        try:
            image, labels = read_image(frame), labels_of(label)
        except SampleError as error:
            reason = str(error)
            continue
        limit = min(limit, max(3, MAX_BYTES // image.size))
        if (images and image.shape != images[0].shape) or labels.shape != image.shape[:2]:
            reason = f"{frame} differs in size from its label or from other frames"
            continue
        images.append(image)
        covers.append(cv2.dilate((labels != BACKGROUND).astype(np.uint8), square).astype(np.uint8))
    if not images:
        raise SampleError(f"no background can be made: {reason}")
    frames, covered = np.stack(images), np.stack(covers).astype(bool)
    unseen = np.asarray(covered.all(axis=0), np.bool_)
    if unseen.all():
        raise SampleError("no background can be made: no frame shows any of it empty")
    covered[:, unseen] = False
    return EmptyMedian(
        median_where(frames, ~covered), unseen if unseen.any() else None, len(images)
    )


def median_where(stack: Image, where: npt.NDArray[np.bool_]) -> Image:
    """The median of each pixel over some of the images; of an even number the lower middle one.

    Args:
        stack: uint8 [N, H, W, 3].
        where: bool [N, H, W], the images to take. Where none is taken the result is undefined.

    Returns:
        uint8 [H, W, 3].
    """
    median = np.empty(stack.shape[1:], np.uint8)
    for top in range(0, len(median), ROWS):
        part = slice(top, top + ROWS)
        # Values that are not taken sort last.
        values = np.where(where[:, part, :, None], stack[:, part], np.int16(256))
        values.sort(axis=0)
        middle = np.maximum(where[:, part].sum(axis=0) - 1, 0) // 2
        median[part] = np.take_along_axis(values, middle[None, :, :, None], axis=0)[0]
    return median


def _evenly(pairs: Sequence[tuple[Path, Path]], count: int) -> list[tuple[Path, Path]]:
    """At most `count` pairs over the whole sequence, the first ones spread over all of it."""
    step = max(1, -(-len(pairs) // count))
    chosen = list(pairs[::step])
    strides = [chosen[start::8] for start in range(8)]
    return [pair for stride in strides for pair in stride]
