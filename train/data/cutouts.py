"""Backgrounds and cut-outs from folders, cut-outs from labelled frames, and their placement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.samples.sample import FOREGROUND, Image, Sample, SampleError
from edge.samples.sequences import images_in

Field = npt.NDArray[np.float32]

MAX_SIDE = 320
"""Images are kept in memory with this longer side: training never sees more."""
MIN_AREA, MIN_HEIGHT = 150, 14
"""Smallest object that is cut out of a frame, in pixels."""


@dataclass(frozen=True)
class Cutout:
    """An object on a transparent ground.

    Attributes:
        name: Its file's stem, or the sample and a number.
        colour: uint8 [h, w, 3] BGR.
        alpha: uint8 [h, w]; 255 is opaque.
    """

    name: str
    colour: Image
    alpha: npt.NDArray[np.uint8]


def shrink(image: npt.NDArray[np.uint8], max_side: int) -> npt.NDArray[np.uint8]:
    """Shrink an image to a longer side of at most `max_side` pixels."""
    factor = max_side / max(image.shape[:2])
    if factor >= 1:
        return image
    return np.asarray(
        cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8
    )


def _files(folder: Path) -> list[Path]:
    files = images_in(folder) if folder.is_dir() else []
    if not files:
        raise SampleError(f"no images in {folder}")
    return files


def read_backgrounds(folder: Path, max_side: int) -> dict[str, Image]:
    """Read every image below a folder; unreadable files are left out.

    Args:
        folder: Searched with its subfolders.
        max_side: Longer side in pixels that images are shrunk to.

    Returns:
        uint8 [H, W, 3] BGR by the file's stem, or by its relative path where stems collide.

    Raises:
        SampleError: No image can be read.
    """
    files = _files(folder)
    stems = Counter(path.stem for path in files)
    images = {}
    for path in files:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is not None:
            long_name = "-".join(path.relative_to(folder).parts).replace(".", "-")
            name = path.stem if stems[path.stem] == 1 else long_name
            images[name] = shrink(np.asarray(image, np.uint8), max_side)
    if not images:
        raise SampleError(f"no image in {folder} can be read")
    return images


def read_cutouts(folder: Path, max_side: int) -> list[Cutout]:
    """Read the RGBA images below a folder; images without alpha are left out.

    Args:
        folder: Searched with its subfolders.
        max_side: Longer side in pixels that cut-outs are shrunk to.

    Raises:
        SampleError: There is no RGBA image.
    """
    cutouts = []
    for path in _files(folder):
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if image is not None and image.ndim == 3 and image.shape[2] == 4:
            if image.dtype == np.uint16:
                image = (image / 257).round()
            small = shrink(np.asarray(image, np.uint8), max_side)
            cutouts.append(Cutout(path.stem, small[..., :3].copy(), small[..., 3].copy()))
    if not cutouts:
        raise SampleError(f"no RGBA cut-outs in {folder}")
    return cutouts


def extract_cutouts(sample: Sample, max_side: int) -> Iterator[Cutout]:
    """Cut the foreground objects out of a labelled frame, with an edge softened over a pixel.

    Objects that are small or cross two or more borders of the image are left out: too little of
    them is visible.

    Args:
        sample: A frame with its mask.
        max_side: Longer side in pixels that cut-outs are shrunk to.

    Yields:
        One cut-out per connected foreground region.
    """
    height, width = sample.mask.shape
    foreground = (sample.mask == FOREGROUND).astype(np.uint8)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(foreground)
    for label, (left, top, wide, tall, area) in enumerate(boxes.tolist()):
        crossed = (left == 0) + (top == 0) + (left + wide == width) + (top + tall == height)
        if label == 0 or area < MIN_AREA or tall < MIN_HEIGHT or crossed > 1:
            continue
        box = (
            slice(max(top - 2, 0), top + tall + 2),
            slice(max(left - 2, 0), left + wide + 2),
        )
        alpha = cv2.GaussianBlur(255.0 * (labels[box] == label), (0, 0), 0.7)
        colour = shrink(sample.fg_bg[box].copy(), max_side)
        soft = shrink(np.asarray(alpha.round(), np.uint8), max_side)
        yield Cutout(f"{sample.name}/{label}", colour, soft)


def place(
    cutout: Cutout, canvas: tuple[int, int], height: float, left: float, top: float, mirrored: bool
) -> tuple[Field, Field]:
    """Place a cut-out on an empty canvas; parts outside are clipped.

    Args:
        cutout: What is placed.
        canvas: (height, width) of the canvas in pixels.
        height: Height of the placed cut-out in pixels.
        left: Its left border in pixels.
        top: Its upper border in pixels.
        mirrored: Flip it horizontally.

    Returns:
        Colour, float32 [H, W, 3] in 0..255, and alpha, float32 [H, W] in 0..1.
    """
    factor = height / cutout.alpha.shape[0]
    width = cutout.alpha.shape[1] * factor
    sign = -1.0 if mirrored else 1.0
    matrix = np.array(
        [[sign * factor, 0, left + width if mirrored else left], [0, factor, top]], np.float32
    )
    colour, alpha = cutout.colour, cutout.alpha
    if factor < 0.5:
        # warpAffine does not average over skipped pixels: shrink first.
        small = (max(1, round(width)), max(1, round(height)))
        colour = np.asarray(cv2.resize(colour, small, interpolation=cv2.INTER_AREA), np.uint8)
        alpha = np.asarray(cv2.resize(alpha, small, interpolation=cv2.INTER_AREA), np.uint8)
        matrix = matrix @ np.diag([1 / factor, 1 / factor, 1]).astype(np.float32)
    size = canvas[::-1]
    return (
        np.asarray(cv2.warpAffine(colour, matrix, size), np.float32),
        np.asarray(cv2.warpAffine(alpha, matrix, size), np.float32) / np.float32(255),
    )
