"""Copy-paste augmentation: cut-outs placed in a scene, with shadows and reflections.

Scenes are float32 [S, S, 3] in 0..255, masks uint8 [S, S] of labels, depths float32 [S, S] of
inverse depth, NaN where unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from edge.calibrate.rendering.sensor import Rng
from edge.calibrate.rendering.shadow import darken
from edge.samples.sample import BACKGROUND, FOREGROUND, IGNORED
from edge.train.augment.shadows import cast_shadow, contact_shadow, reflect, silhouette_shadow
from edge.train.data.cutouts import Cutout, Field, place


class PlacedObject(NamedTuple):
    """A cut-out placed on the canvas of a scene.

    Attributes:
        inverse_depth: Where it stands; NaN if the scene's depth there is unknown.
        colour: float32 [S, S, 3] in 0..255.
        alpha: float32 [S, S] in 0..1.
    """

    inverse_depth: float
    colour: Field
    alpha: Field


def paste_objects(
    scene: Field,
    mask: npt.NDArray[np.uint8],
    depth: Field | None,
    cutouts: Sequence[Cutout],
    rng: Rng,
) -> None:
    """Paste up to five random cut-outs, the farthest first; in some scenes another one, outside the
    image, casts its shadow.

    Args:
        scene: Changed in place.
        mask: Changed in place.
        depth: Changed in place; None where no depth is trained.
        cutouts: What is drawn from.
        rng: Source of all that is random.
    """
    if rng.random() < 0.3:
        cutout = cutouts[int(rng.integers(len(cutouts)))]
        _, alpha = _random_placement(cutout, rng, scene.shape[0])
        darken(scene, silhouette_shadow(alpha, rng), rng.uniform(0.2, 0.75))
    for placed in _random_objects(scene.shape[0], depth, cutouts, rng):
        alpha = placed.alpha
        if rng.random() < 0.6:
            darken(scene, cast_shadow(alpha, rng), rng.uniform(0.2, 0.75))
        if rng.random() < 0.3:
            darken(scene, contact_shadow(alpha, rng), rng.uniform(0.3, 0.9))
        # Only the bounding box: most objects are small.
        left, top, width, height = cv2.boundingRect((alpha > 0).view(np.uint8))
        box = slice(top, top + height), slice(left, left + width)
        colour = _random_colour(placed.colour[box], alpha[box], scene[box], rng)
        if rng.random() < 0.2:
            reflect(scene, colour, alpha[box], (left, top), rng)
        scene[box] += alpha[box][..., None] * (colour - scene[box])
        # People who label by hand count a half covered pixel as covered and disagree below that.
        mask[(alpha > 0.1) & (mask == BACKGROUND)] = IGNORED
        mask[alpha > 0.5] = FOREGROUND
        if depth is not None:
            depth[alpha > 0.5] = placed.inverse_depth


def contact_depth(depth: Field, alpha: Field) -> float:
    """Inverse depth of an object that stands in a scene: that of the floor at its foot.

    Args:
        depth: float32 [H, W], inverse depth of the scene, NaN where unknown.
        alpha: float32 [H, W], opacity of the object.

    Returns:
        At least the mean inverse depth under the object, because it is never behind what it
        covers; NaN where none of that is known.
    """
    inside = alpha > 0.5
    rows = np.nonzero(inside.any(1))[0]
    foot = slice(max(rows[0], rows[-1] - 2), rows[-1] + 1)
    floor, covered = (
        values[np.isfinite(values)] for values in (depth[foot][inside[foot]], depth[inside])
    )
    return float(max(np.median(floor), covered.mean())) if len(floor) else np.nan


def _random_objects(
    size: int, depth: Field | None, cutouts: Sequence[Cutout], rng: Rng
) -> list[PlacedObject]:
    """Draw the objects of a scene, sorted from far to near."""
    count = int(rng.choice(6, p=[0.12, 0.3, 0.25, 0.15, 0.1, 0.08]))
    objects = []
    for _ in range(count):
        cutout = cutouts[int(rng.integers(len(cutouts)))]
        colour, alpha = _random_placement(cutout, rng, size)
        if alpha.max() > 0.5:
            inverse_depth = 0.0 if depth is None else contact_depth(depth, alpha)
            objects.append(PlacedObject(inverse_depth, colour, alpha))
    return sorted(objects, key=lambda placed: placed.inverse_depth)


def _random_placement(cutout: Cutout, rng: Rng, size: int) -> tuple[Field, Field]:
    """Place a cut-out at a random size and position, with at least a third of it in the image."""
    least, most = (0.02, 0.08) if rng.random() < 0.2 else (0.05, 0.95)
    height = size * np.exp(rng.uniform(np.log(least), np.log(most)))
    # A cut-out from a frame may be small; enlarged further it would only be blurred.
    height = min(height, 3 * cutout.alpha.shape[0])
    width = height * cutout.alpha.shape[1] / cutout.alpha.shape[0]
    left = rng.uniform(0, size) - width * rng.uniform(0.3, 0.7)
    top = min(rng.uniform(-0.1 * height, size), size - 0.4 * height)
    return place(cutout, (size, size), height, left, top, rng.random() < 0.5)


def _random_colour(colour: Field, alpha: Field, scene: Field, rng: Rng) -> Field:
    """Vary an object's brightness; shift a third of the objects towards the scene's colour."""
    colour = colour * np.float32(np.exp(rng.normal(0, 0.25))) + np.float32(rng.normal(0, 10))
    if rng.random() < 1 / 3:
        weight = np.maximum(alpha, 1e-3)[..., None]
        scene_mean = (scene * weight).sum((0, 1)) / weight.sum()
        object_mean = (colour * weight).sum((0, 1)) / weight.sum()
        colour = colour + np.float32(rng.uniform(0.3, 0.9)) * (scene_mean - object_mean)
    return np.clip(colour, 0, 255).astype(np.float32)
