"""Write a data set in the seed's layout: every cut-out on every background, several times.

The seed's recipe is 100 backgrounds x 100 cut-outs x 2 (mirrored) x 20 places = 400,000. The zips
of a background appear when they are complete, so a killed run resumes where it stopped and never
writes a composite twice. A composite depends on the seed and its names only.
"""

from __future__ import annotations

import random
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.files import atomic_write
from edge.samples.depth_teacher import DepthTeacher
from edge.samples.sample import Image, SampleError
from edge.samples.seed import BG, DEPTH, FG_BG, MASKS
from edge.train.data.cutouts import Cutout, place

ZIP_ENTRY = 160
"""Approximate bytes that a zip needs for each member beside its data."""
TRIAL_COUNT, TRIAL_SECONDS = 1000, 2.0
"""Composites, or seconds, after which `estimate` has measured enough."""


@dataclass(frozen=True)
class CompositionSpec:
    """Parameters of a composed data set.

    Attributes:
        size: Side of the composites in pixels.
        places: Places per background, cut-out and mirroring.
        seed: Seed of sizes and positions.
        heights: Least and greatest height of the cut-outs, as shares of `size`.
    """

    size: int = 224
    places: int = 20
    seed: int = 0
    heights: tuple[float, float] = (0.2, 0.7)

    def count(self, backgrounds: int, cutouts: int) -> int:
        """The number of composites of so many backgrounds and cut-outs."""
        return backgrounds * cutouts * 2 * self.places


@dataclass(frozen=True)
class Composite:
    """A cut-out on a background.

    Attributes:
        name: `<bg>_<fg>_<n>` or `<bg>_flip_<fg>_<n>`.
        fg_bg: uint8 [size, size, 3] BGR.
        mask: uint8 [size, size], soft.
    """

    name: str
    fg_bg: Image
    mask: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Estimate:
    """What one composite takes.

    Attributes:
        count: Composites that were measured.
        seconds: Time of one.
        bytes: Size of its members on disk.
    """

    count: int
    seconds: float
    bytes: float


def composites(
    name: str, bg: Image, cutouts: Sequence[Cutout], spec: CompositionSpec
) -> Iterator[Composite]:
    """Make all composites on one background.

    Args:
        name: Name of the background.
        bg: uint8 [size, size, 3] BGR.
        cutouts: What is placed on it.
        spec: Parameters of the data set.
    """
    scene = bg.astype(np.float32)
    size = spec.size
    for cutout in cutouts:
        # Keyed by names, so that a new file in a folder does not change the others' composites.
        rng = np.random.default_rng([spec.seed, *f"{name}/{cutout.name}".encode()])
        for mirrored in (False, True):
            for number in range(1, spec.places + 1):
                height = size * rng.uniform(*spec.heights)
                width = height * cutout.alpha.shape[1] / cutout.alpha.shape[0]
                left = rng.uniform(min(0.0, size - width), max(0.0, size - width))
                top = rng.uniform(0, size - height)
                colour, alpha = place(cutout, (size, size), height, left, top, mirrored)
                frame = scene + alpha[..., None] * (colour - scene)
                flip = "flip_" if mirrored else ""
                yield Composite(
                    f"{name}_{flip}{cutout.name}_{number}",
                    np.clip(frame + 0.5, 0, 255).astype(np.uint8),
                    np.round(alpha * 255).astype(np.uint8),
                )


def labelled_depth(composite: Composite, teacher: DepthTeacher) -> npt.NDArray[np.uint8]:
    """Label the inverse depth of a composite, uint8 [size, size].

    The object gets the median of its depth, because the teacher's map is soft at its edge.
    """
    depth = teacher(composite.fg_bg)
    inside = composite.mask > 127
    if inside.any():
        depth[inside] = np.median(depth[inside])
    return np.round(depth * 255).astype(np.uint8)


def estimate(
    backgrounds: Mapping[str, Image],
    cutouts: Sequence[Cutout],
    spec: CompositionSpec,
    teacher: DepthTeacher | None,
) -> Estimate:
    """Compose random pairs without writing them, to predict time and disk space.

    Pairs are random because sizes vary: foliage takes several times the bytes of a white wall.
    """
    order = random.Random(spec.seed)
    names, trial = list(backgrounds), replace(spec, places=1)
    start, count, total = time.perf_counter(), 0, 0
    while count < TRIAL_COUNT and time.perf_counter() - start < TRIAL_SECONDS:
        name = order.choice(names)
        bg = _resized(backgrounds[name], spec)
        for composite in composites(name, bg, [order.choice(cutouts)], trial):
            total += sum(len(data) for data in members(composite, teacher).values())
            count += 1
    return Estimate(count, (time.perf_counter() - start) / count, total / count + 3 * ZIP_ENTRY)


def members(composite: Composite, teacher: DepthTeacher | None) -> dict[str, bytes]:
    """Encode the images of a composite, by the part of the layout that they belong to."""
    encoded = {
        FG_BG: _encode(".jpg", composite.fg_bg),
        MASKS: _encode(".png", composite.mask),
    }
    if teacher is not None:
        encoded[DEPTH] = _encode(".png", labelled_depth(composite, teacher))
    return encoded


def is_complete(out: Path, name: str, with_depth: bool) -> bool:
    """Whether a background and all its zips exist; it takes its place after them."""
    parts = (FG_BG, MASKS, DEPTH) if with_depth else (FG_BG, MASKS)
    return (out / BG / f"{name}.jpg").is_file() and all(
        (out / part / f"{name}.zip").is_file() for part in parts
    )


def write_background(
    out: Path,
    name: str,
    image: Image,
    cutouts: Sequence[Cutout],
    spec: CompositionSpec,
    teacher: DepthTeacher | None,
) -> Iterator[None]:
    """Write one background and its zips.

    Args:
        out: Folder of the data set.
        name: Name of the background.
        image: uint8 [H, W, 3] BGR, resized to the data set's size.
        cutouts: What is placed on it.
        spec: Parameters of the data set.
        teacher: Labels depth; None for no depth.

    Yields:
        None after each composite.
    """
    bg = _resized(image, spec)
    with ExitStack() as stack:
        bg_draft = stack.enter_context(atomic_write(out / BG / f"{name}.jpg"))
        bg_draft.write_bytes(_encode(".jpg", bg))
        # Composites are made on the JPEG's pixels, which readers will see.
        bg = np.asarray(cv2.imdecode(np.fromfile(bg_draft, np.uint8), cv2.IMREAD_COLOR), np.uint8)
        archives = {}
        for part in (FG_BG, MASKS, *([DEPTH] if teacher else [])):
            draft = stack.enter_context(atomic_write(out / part / f"{name}.zip"))
            # The images are compressed already.
            archives[part] = stack.enter_context(zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED))
        for composite in composites(name, bg, cutouts, spec):
            for part, data in members(composite, teacher).items():
                ending = "jpg" if part == FG_BG else "png"
                # Without the time of day, which `writestr` takes for a name.
                archives[part].writestr(zipfile.ZipInfo(f"{composite.name}.{ending}"), data)
            yield


def _encode(extension: str, image: npt.NDArray[np.uint8]) -> bytes:
    success, data = cv2.imencode(extension, image)
    if not success:
        raise SampleError(f"cannot encode an image of shape {image.shape} as {extension}")
    return data.tobytes()


def _resized(image: Image, spec: CompositionSpec) -> Image:
    size = (spec.size, spec.size)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)
