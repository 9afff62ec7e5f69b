"""Write a data set in the seed's layout: every cut-out on every background, several times.

The seed's recipe is 100 backgrounds x 100 cut-outs x 2 (mirrored) x 20 places = 400,000. Each
background's zips appear when they are complete, so a run that was killed goes on where it stopped
and never writes a composite twice. What is in a composite depends on the seed and its names only.
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


@dataclass(frozen=True)
class Recipe:
    """size: side of the composites; places: per background, cut-out and mirroring.

    heights: of the cut-outs, least and most, as shares of `size`.
    """

    size: int = 224
    places: int = 20
    seed: int = 0
    heights: tuple[float, float] = (0.2, 0.7)

    def count(self, backgrounds: int, cutouts: int) -> int:
        return backgrounds * cutouts * 2 * self.places


@dataclass(frozen=True)
class Composite:
    """name: `<bg>_<fg>_<n>` or `<bg>_flip_<fg>_<n>`; mask: soft, uint8 [size, size]."""

    name: str
    fg_bg: Image
    mask: npt.NDArray[np.uint8]


def composites(
    name: str, bg: Image, cutouts: Sequence[Cutout], recipe: Recipe
) -> Iterator[Composite]:
    """All composites on one background, uint8 [size, size, 3] BGR."""
    scene = bg.astype(np.float32)
    size = recipe.size
    for cutout in cutouts:
        # Keyed by names, so that adding a file to a folder leaves the others' composites alone.
        rng = np.random.default_rng([recipe.seed, *f"{name}/{cutout.name}".encode()])
        for mirrored in (False, True):
            for number in range(1, recipe.places + 1):
                height = size * rng.uniform(*recipe.heights)
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
    """The teacher's inverse depth as 8 bit; one value inside the object, where its edge is soft."""
    depth = teacher(composite.fg_bg)
    inside = composite.mask > 127
    if inside.any():
        depth[inside] = np.median(depth[inside])
    return np.round(depth * 255).astype(np.uint8)


def _encoded(extension: str, image: npt.NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(extension, image)
    if not done:
        raise SampleError(f"cannot encode a picture of shape {image.shape} as {extension}")
    return data.tobytes()


@dataclass(frozen=True)
class Estimate:
    """What one composite takes, measured on `count` of them: seconds, and bytes of its members."""

    count: int
    seconds: float
    bytes: float


MEASURED, MEASURED_S = 1000, 2.0
"""Composites, or seconds, after which enough have been measured."""


def measured(
    pictures: Mapping[str, Image],
    cutouts: Sequence[Cutout],
    recipe: Recipe,
    teacher: DepthTeacher | None,
) -> Estimate:
    """Compose random pairs without writing anything: a picture of leaves takes several times the
    bytes of a white wall."""
    order = random.Random(recipe.seed)
    names, few = list(pictures), replace(recipe, places=1)
    start, count, total = time.perf_counter(), 0, 0
    while count < MEASURED and time.perf_counter() - start < MEASURED_S:
        name = order.choice(names)
        bg = _background(pictures[name], recipe)
        for composite in composites(name, bg, [order.choice(cutouts)], few):
            total += sum(len(data) for data in members(composite, teacher).values())
            count += 1
    return Estimate(count, (time.perf_counter() - start) / count, total / count + 3 * ZIP_ENTRY)


def _background(picture: Image, recipe: Recipe) -> Image:
    size = (recipe.size, recipe.size)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)


ZIP_ENTRY = 160
"""Bytes that a zip needs for each member beside its data, about."""


def members(composite: Composite, teacher: DepthTeacher | None) -> dict[str, bytes]:
    """The encoded pictures of a composite, by the part of the layout that they belong to."""
    encoded = {
        FG_BG: _encoded(".jpg", composite.fg_bg),
        MASKS: _encoded(".png", composite.mask),
    }
    if teacher is not None:
        encoded[DEPTH] = _encoded(".png", labelled_depth(composite, teacher))
    return encoded


def done(out: Path, name: str, with_depth: bool) -> bool:
    """Whether a background's zips are all there."""
    parts = (FG_BG, MASKS, DEPTH) if with_depth else (FG_BG, MASKS)
    return all((out / part / f"{name}.zip").is_file() for part in parts)


def write_background(
    out: Path,
    name: str,
    picture: Image,
    cutouts: Sequence[Cutout],
    recipe: Recipe,
    teacher: DepthTeacher | None,
) -> Iterator[None]:
    """Write one background and its zips; yields after each composite."""
    bg = _background(picture, recipe)
    with ExitStack() as stack:
        place_of_bg = stack.enter_context(atomic_write(out / BG / f"{name}.jpg"))
        place_of_bg.write_bytes(_encoded(".jpg", bg))
        # The picture that is kept is the JPEG's: composites are made on what readers will see.
        bg = np.asarray(
            cv2.imdecode(np.fromfile(place_of_bg, np.uint8), cv2.IMREAD_COLOR), np.uint8
        )
        archives = {}
        for part in (FG_BG, MASKS, *([DEPTH] if teacher else [])):
            draft = stack.enter_context(atomic_write(out / part / f"{name}.zip"))
            # Pictures are compressed already.
            archives[part] = stack.enter_context(zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED))
        for composite in composites(name, bg, cutouts, recipe):
            for part, data in members(composite, teacher).items():
                ending = "jpg" if part == FG_BG else "png"
                archives[part].writestr(f"{composite.name}.{ending}", data)
            yield
