"""Backgrounds and cut-outs from folders, cut-outs from labelled frames, and their placement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge.calibrate.labelled import report_skipped
from edge.progress import note
from edge.samples.image_file import decode_image, decode_stored, images_in, read_bytes
from edge.samples.sample import FOREGROUND, Image, Sample, SampleError

Field = npt.NDArray[np.float32]

MAX_SIDE = 320
"""Images are kept in memory with this longer side: training never sees more."""
MIN_AREA, MIN_HEIGHT = 150, 14
"""Smallest object that is cut out of a frame, in pixels."""
LEAST_OPAQUE = 128
"""Least alpha that the most opaque pixel of a cut-out must have."""


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
    height, width = (max(1, round(factor * side)) for side in image.shape[:2])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _files(folder: Path) -> dict[str, Path]:
    """The image files below a folder by their stem, or by their relative path where stems collide.

    Raises:
        SampleError: There is none.
    """
    files = images_in(folder) if folder.is_dir() else []
    if not files:
        raise SampleError(f"no images in {folder}")
    stems = Counter(path.stem for path in files)
    return {
        path.stem
        if stems[path.stem] == 1
        else "-".join(path.relative_to(folder).parts).replace(".", "-"): path
        for path in files
    }


def _refuse_nothing(left: Sized, skipped: dict[str, str], message: str) -> None:
    """Name the files that were left out; SampleError where nothing is left."""
    if not left:
        counts = Counter(skipped.values()).most_common(3)
        raise SampleError(message, "; ".join(f"{count} files: {why}" for why, count in counts))
    report_skipped(skipped, noun="files")


def read_backgrounds(folder: Path, max_side: int) -> dict[str, Image]:
    """Read every image below a folder; files that cannot be read are named and left out.

    Args:
        folder: Searched with its subfolders.
        max_side: Longer side in pixels that images are shrunk to.

    Returns:
        uint8 [H, W, 3] BGR by the file's stem, or by its relative path where stems collide.

    Raises:
        SampleError: No image can be read.
    """
    images, skipped = {}, {}
    for name, path in _files(folder).items():
        try:
            images[name] = shrink(decode_image(read_bytes(path)), max_side)
        except SampleError as error:
            skipped[str(path)] = str(error)
    _refuse_nothing(images, skipped, f"no image in {folder} can be read")
    return images


def read_cutouts(folder: Path, max_side: int) -> list[Cutout]:
    """Read the RGBA images below a folder; other files are named and left out.

    Alpha is 0..255, 0..65535, or 0 and 1, which becomes 0 and 255.

    Args:
        folder: Searched with its subfolders.
        max_side: Longer side in pixels that cut-outs are shrunk to.

    Raises:
        SampleError: There is no cut-out that can be used.
    """
    cutouts: list[Cutout] = []
    skipped = {}
    for name, path in _files(folder).items():
        try:
            image = _rgba(decode_stored(read_bytes(path)))
        except SampleError as error:
            skipped[str(path)] = str(error)
            continue
        small = shrink(image, max_side)
        cutouts.append(Cutout(name, small[..., :3].copy(), small[..., 3].copy()))
    _refuse_nothing(cutouts, skipped, f"no RGBA cut-outs in {folder}")
    opaque = [cutout.name for cutout in cutouts if (cutout.alpha == 255).all()]
    if opaque:
        note(
            f"{len(opaque)} of {len(cutouts)} cut-outs are opaque everywhere, as {opaque[0]}:"
            " whole rectangles are pasted"
        )
    return cutouts


def _rgba(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Convert an image with alpha to uint8 [H, W, 4]; SampleError where alpha is of no use."""
    if image.ndim != 3 or image.shape[2] != 4:
        raise SampleError("it has no alpha channel")
    if image.dtype == np.uint16 and image.max() > 255:
        image = (image / 257).round()
    elif image.dtype not in (np.uint8, np.uint16):
        raise SampleError(f"its values are {image.dtype}, expected 8 or 16 bits")
    rgba = np.array(image, np.uint8)
    top = rgba[..., 3].max()
    if top == 0:
        raise SampleError("it is transparent everywhere")
    if top == 1:
        rgba[..., 3] *= 255
    elif top < LEAST_OPAQUE:
        raise SampleError(f"its alpha reaches {top} only, expected 255 where it is opaque")
    return rgba


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
