"""Composites made on the fly: cut-outs with shadows and light on a photographed empty scene.

The recipe that generalises to cameras never seen: objects of every size, a third of them in the
colours of the place; cast and contact shadows, some without an object; floors that reflect, leaves
that sway; other light, noise and compression in `bg` than in `fg_bg`; a camera that moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from edge.calibrate.rendering.sensor import Rng
from edge.calibrate.rendering.shadow import darken, shadow_from_outside
from edge.progress import track
from edge.samples.depth_teacher import DepthTeacher
from edge.samples.sample import BACKGROUND, FOREGROUND, IGNORED, Sample
from edge.train.augment.photometric import Pair, drawn
from edge.train.augment.shadows import cast_shadow, contact_shadow, reflect, sway
from edge.train.data.cutouts import Cutout, Field, place, read_backgrounds, read_cutouts

AnyImage = TypeVar("AnyImage", npt.NDArray[np.uint8], Field)

LONGEST = 320
"""Pictures are kept in memory with this longest side: training never sees more."""


def window(rng: Rng, shape: tuple[int, ...], size: int, *, whole: bool = False) -> Field:
    """The affine map (2x3) of a random part of a picture, perhaps mirrored, to size x size.

    whole: of all of it, squeezed as a build squeezes it.
    """
    height, width = shape[:2]
    tall, wide = float(height), float(width)
    if not whole:
        share = rng.uniform(0.55, 1.0)
        stretch = np.exp(rng.uniform(-0.15, 0.15))
        tall = min(height, share * min(height, width) * stretch)
        wide = min(width, share * min(height, width) / stretch)
    top, left = rng.uniform(0, height - tall), rng.uniform(0, width - wide)
    sx, sy = size / wide, size / tall
    if rng.random() < 0.5:
        return np.array([[-sx, 0, sx * (left + wide)], [0, sy, -sy * top]], np.float32)
    return np.array([[sx, 0, -sx * left], [0, sy, -sy * top]], np.float32)


def warped(image: AnyImage, matrix: Field, size: int, flags: int) -> AnyImage:
    """The part of a picture that `window` chose, at size x size."""
    moved = cv2.warpAffine(image, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, image.dtype)


def _textured(colour: Field, alpha: Field, scene: Field, rng: Rng) -> Field:
    """The object's own colours, sometimes pulled towards those of the place it stands in."""
    colour = colour * np.float32(np.exp(rng.normal(0, 0.25))) + np.float32(rng.normal(0, 10))
    if rng.random() < 1 / 3:
        weight = np.maximum(alpha, 1e-3)[..., None]
        place = (scene * weight).sum((0, 1)) / weight.sum()
        own = (colour * weight).sum((0, 1)) / weight.sum()
        colour = colour + np.float32(rng.uniform(0.3, 0.9)) * (place - own)
    return np.clip(colour, 0, 255).astype(np.float32)


def _placed(cutout: Cutout, rng: Rng, size: int) -> tuple[Field, Field]:
    """The cut-out at a random size and position, at least a third of it in the picture."""
    height = size * np.exp(rng.uniform(np.log(0.05), np.log(0.95)))
    # What was cut out of a frame may be small; larger it would be a blur.
    height = min(height, 3 * cutout.alpha.shape[0])
    width = height * cutout.alpha.shape[1] / cutout.alpha.shape[0]
    left = rng.uniform(0, size) - width * rng.uniform(0.3, 0.7)
    top = min(rng.uniform(-0.1 * height, size), size - 0.4 * height)
    return place(cutout, (size, size), height, left, top, rng.random() < 0.5)


def touching(depth: Field, alpha: Field) -> float:
    """Inverse depth of a thing that stands in a scene: that of the floor where it touches it.

    depth: float32 [H, W] of the scene, NaN where unknown; alpha: float32 [H, W] of the thing. A
    thing is never behind what it covers, so the answer is at least the mean depth under it; it is
    NaN where none of that is known.
    """
    inside = alpha > 0.5
    rows = np.nonzero(inside.any(1))[0]
    foot = slice(max(rows[0], rows[-1] - 2), rows[-1] + 1)
    floor, under = (part[np.isfinite(part)] for part in (depth[foot][inside[foot]], depth[inside]))
    return float(max(np.median(floor), under.mean())) if len(floor) else np.nan


def populate(
    scene: Field,
    mask: npt.NDArray[np.uint8],
    depth: Field | None,
    cutouts: Sequence[Cutout],
    rng: Rng,
) -> None:
    """Put a few things into a picture, the farthest first, with shadows and reflections.

    scene: float32 [S, S, 3] in 0..255; mask: uint8 [S, S], labels; depth: float32 [S, S], inverse
    depth, NaN where unknown. All three are changed in place.
    """
    for near, colour, alpha in _things(scene.shape[0], depth, cutouts, rng):
        if rng.random() < 0.6:
            darken(scene, cast_shadow(alpha, rng), rng.uniform(0.2, 0.65))
        if rng.random() < 0.3:
            darken(scene, contact_shadow(alpha, rng), rng.uniform(0.3, 0.9))
        # Only where the thing is: most are small.
        left, top, wide, tall = cv2.boundingRect((alpha > 0).view(np.uint8))
        part = slice(top, top + tall), slice(left, left + wide)
        own = _textured(colour[part], alpha[part], scene[part], rng)
        if rng.random() < 0.2:
            reflect(scene, own, alpha[part], (left, top), rng)
        scene[part] += alpha[part][..., None] * (own - scene[part])
        # Who labels by hand counts what is half covered as covered; below that nobody agrees.
        mask[(alpha > 0.1) & (mask == BACKGROUND)] = IGNORED
        mask[alpha > 0.5] = FOREGROUND
        if depth is not None:
            depth[alpha > 0.5] = near


def _things(
    size: int, depth: Field | None, cutouts: Sequence[Cutout], rng: Rng
) -> list[tuple[float, Field, Field]]:
    """What stands in the scene, (inverse depth, colour, alpha), the farthest first."""
    count = int(rng.choice(6, p=[0.12, 0.3, 0.25, 0.15, 0.1, 0.08]))
    things = []
    for _ in range(count):
        cutout = cutouts[int(rng.integers(len(cutouts)))]
        colour, alpha = _placed(cutout, rng, size)
        if alpha.max() > 0.5:
            near = 0.0 if depth is None else touching(depth, alpha)
            things.append((near, colour, alpha))
    return sorted(things, key=lambda thing: thing[0])


class Composites:
    """Pairs from a folder with `backgrounds/` and `foregrounds/`, made at `size` x `size`.

    teacher: labels the depth of each background once, at the start; without one there is no depth.
    whole: on whole backgrounds, not on parts of them.
    """

    def __init__(
        self, folder: Path, size: int, teacher: DepthTeacher | None, *, whole: bool = False
    ) -> None:
        self.name = folder.name
        self.size, self.whole = size, whole
        self.backgrounds = list(read_backgrounds(folder / "backgrounds", LONGEST).values())
        self.cutouts = read_cutouts(folder / "foregrounds", LONGEST)
        self.depths: list[npt.NDArray[np.float16]] = []
        if teacher is not None:
            watched = track(self.backgrounds, len(self.backgrounds), "depth of backgrounds")
            self.depths = [teacher.both_ways(bg).astype(np.float16) for bg in watched]

    def draw(self, rng: Rng) -> tuple[Sample, Pair]:
        index = int(rng.integers(len(self.backgrounds)))
        picture, size = self.backgrounds[index], self.size
        matrix = window(rng, picture.shape, size, whole=self.whole)
        empty = warped(picture, matrix, size, cv2.INTER_LINEAR)
        depth: Field | None = None
        if self.depths:
            stored = self.depths[index].astype(np.float32)
            depth = warped(stored, matrix, size, cv2.INTER_LINEAR)

        scene = empty.astype(np.float32)
        if rng.random() < 0.15:
            sway(scene, rng)
        if rng.random() < 0.4:
            darken(scene, shadow_from_outside(size, rng), rng.uniform(0.15, 0.65))
        mask = np.full((size, size), BACKGROUND, np.uint8)
        populate(scene, mask, depth, self.cutouts, rng)
        frame = np.clip(scene + 0.5, 0, 255).astype(np.uint8)
        return Sample(self.name, empty, frame, mask, depth), drawn(rng)
