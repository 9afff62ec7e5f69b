"""Backgrounds and RGBA cut-outs from folders, and a cut-out placed in a picture."""

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


@dataclass(frozen=True)
class Cutout:
    """name: of its file; colour: uint8 [h, w, 3] BGR; alpha: uint8 [h, w], 255 is opaque."""

    name: str
    colour: Image
    alpha: npt.NDArray[np.uint8]


def shrunk(image: npt.NDArray[np.uint8], longest: int) -> npt.NDArray[np.uint8]:
    """The picture with its longer side at most `longest`."""
    factor = longest / max(image.shape[:2])
    if factor >= 1:
        return image
    return np.asarray(
        cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8
    )


def _files(folder: Path) -> list[Path]:
    files = images_in(folder) if folder.is_dir() else []
    if not files:
        raise SampleError(f"no pictures in {folder}")
    return files


def read_backgrounds(folder: Path, longest: int) -> dict[str, Image]:
    """Every picture below a folder, shrunk, by its file's stem, or by its whole path where several
    have that; files that are none are left out."""
    files = _files(folder)
    stems = Counter(path.stem for path in files)
    pictures = {}
    for path in files:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is not None:
            whole = "-".join(path.relative_to(folder).parts).replace(".", "-")
            name = path.stem if stems[path.stem] == 1 else whole
            pictures[name] = shrunk(np.asarray(picture, np.uint8), longest)
    if not pictures:
        raise SampleError(f"no picture in {folder} can be read")
    return pictures


def read_cutouts(folder: Path, longest: int) -> list[Cutout]:
    """The RGBA pictures below a folder, shrunk; one without transparency is not a cut-out."""
    cutouts = []
    for path in _files(folder):
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if image is not None and image.ndim == 3 and image.shape[2] == 4:
            if image.dtype == np.uint16:
                image = (image / 257).round()
            small = shrunk(np.asarray(image, np.uint8), longest)
            cutouts.append(Cutout(path.stem, small[..., :3].copy(), small[..., 3].copy()))
    if not cutouts:
        raise SampleError(f"no RGBA cut-outs in {folder}")
    return cutouts


LEAST_AREA, LEAST_HEIGHT = 150, 14
"""Pixels of a thing that is worth cutting out of a frame."""


def cut(sample: Sample, longest: int) -> Iterator[Cutout]:
    """What is new in a frame, thing by thing, shrunk, with the edge softened over a pixel.

    Left out is what is small, and what goes beyond the picture on two sides or more: too little
    of it is there.
    """
    height, width = sample.mask.shape
    new = (sample.mask == FOREGROUND).astype(np.uint8)
    _, things, boxes, _ = cv2.connectedComponentsWithStats(new)
    for thing, (left, top, wide, tall, area) in enumerate(boxes.tolist()):
        cut_off = (left == 0) + (top == 0) + (left + wide == width) + (top + tall == height)
        if thing == 0 or area < LEAST_AREA or tall < LEAST_HEIGHT or cut_off > 1:
            continue
        part = (
            slice(max(top - 2, 0), top + tall + 2),
            slice(max(left - 2, 0), left + wide + 2),
        )
        alpha = cv2.GaussianBlur(255.0 * (things[part] == thing), (0, 0), 0.7)
        colour = shrunk(sample.fg_bg[part].copy(), longest)
        soft = shrunk(np.asarray(alpha.round(), np.uint8), longest)
        yield Cutout(f"{sample.name}/{thing}", colour, soft)


def place(
    cutout: Cutout, canvas: tuple[int, int], height: float, left: float, top: float, mirrored: bool
) -> tuple[Field, Field]:
    """The cut-out `height` pixels tall with its corner at (left, top) of an empty canvas.

    canvas: (height, width). Returns colour float32 [H, W, 3] in 0..255 and alpha float32 [H, W]
    in 0..1; what lies outside is cut off.
    """
    factor = height / cutout.alpha.shape[0]
    width = cutout.alpha.shape[1] * factor
    sign = -1.0 if mirrored else 1.0
    matrix = np.array(
        [[sign * factor, 0, left + width if mirrored else left], [0, factor, top]], np.float32
    )
    colour, alpha = cutout.colour, cutout.alpha
    if factor < 0.5:
        # warpAffine does not average over what it leaves out: shrink first.
        small = (max(1, round(width)), max(1, round(height)))
        colour = np.asarray(cv2.resize(colour, small, interpolation=cv2.INTER_AREA), np.uint8)
        alpha = np.asarray(cv2.resize(alpha, small, interpolation=cv2.INTER_AREA), np.uint8)
        matrix = matrix @ np.diag([1 / factor, 1 / factor, 1]).astype(np.float32)
    size = canvas[::-1]
    return (
        np.asarray(cv2.warpAffine(colour, matrix, size), np.float32),
        np.asarray(cv2.warpAffine(alpha, matrix, size), np.float32) / np.float32(255),
    )
