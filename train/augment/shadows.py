"""Shadows and reflections: changes in a frame that are not foreground.

Fields are float32 [H, W] in 0..1; scenes are float32 [H, W, 3] in 0..255 and changed in place.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.calibrate.rendering.sensor import Rng
from edge.calibrate.rendering.shadow import Field, blurred, darken, shadow_from_outside
from edge.samples.sample import Image


def random_shadow(image: Image, rng: Rng) -> Image:
    """Darken an image by the shadow of an object outside it.

    Args:
        image: uint8 [S, S, 3].
        rng: Source of place, shape and strength.

    Returns:
        uint8 [S, S, 3].
    """
    scene = image.astype(np.float32)
    darken(scene, shadow_from_outside(len(image), rng), rng.uniform(0.15, 0.65))
    return (scene + 0.5).astype(np.uint8)


def cast_shadow(alpha: Field, rng: Rng) -> Field:
    """Shadow on the floor beside an object: its blurred silhouette, laid down from the feet.

    Args:
        alpha: Opacity of the object.
        rng: Source of direction, length and softness.

    Returns:
        The strength of the shadow, float32 [H, W] in 0..1.
    """
    rows = np.nonzero((alpha > 0.5).any(1))[0]
    if not len(rows):
        return np.zeros_like(alpha)
    foot = float(rows.max())
    squash, lean = rng.uniform(0.15, 0.7), rng.uniform(-1.2, 1.2)
    upward = rng.random() < 0.5
    along = squash if upward else -squash
    matrix = np.array([[1, lean, -lean * foot], [0, along, foot * (1 - along)]], np.float32)
    silhouette = cv2.warpAffine(alpha, matrix, alpha.shape[::-1])
    return blurred(np.asarray(silhouette, np.float32), _softness(alpha.shape[0], rng))


def silhouette_shadow(alpha: Field, rng: Rng) -> Field:
    """Shadow of an object outside the image that keeps the object's outline: only the texture of
    the floor, which shows through, tells it from a dark object.

    Args:
        alpha: Opacity of the object, where its shadow falls.
        rng: Source of softness.

    Returns:
        The strength of the shadow, float32 [H, W] in 0..1.
    """
    return blurred(alpha, _softness(alpha.shape[0], rng))


def _softness(side: int, rng: Rng) -> float:
    """Sigma of a shadow's edge in pixels: half of the shadows are as hard as the sun's."""
    return float(np.exp(rng.uniform(np.log(0.4), np.log(0.03 * side))))


def contact_shadow(alpha: Field, rng: Rng) -> Field:
    """Shadow under an object close to the floor, such as a car: a flat ellipse at its foot.

    Args:
        alpha: Opacity of the object.
        rng: Source of position, extent and softness.

    Returns:
        The strength of the shadow, float32 [H, W] in 0..1.
    """
    rows = np.nonzero((alpha > 0.5).any(1))[0]
    field = np.zeros_like(alpha)
    if not len(rows):
        return field
    foot, height = int(rows[-1]), len(rows)
    columns = np.nonzero((alpha[max(foot - height // 4, 0) : foot + 1] > 0.5).any(0))[0]
    width = columns[-1] - columns[0] + 1
    centre = (round(columns.mean() + rng.normal(0, 0.08) * width), foot)
    axes = round(width * rng.uniform(0.45, 0.65)) + 1, round(height * rng.uniform(0.03, 0.15)) + 1
    cv2.ellipse(field, centre, axes, 0, 0, 360, 1.0, -1)
    return blurred(field, rng.uniform(0.5, 0.02 * len(alpha)))


def reflect(scene: Field, colour: Field, alpha: Field, corner: tuple[int, int], rng: Rng) -> None:
    """Reflect an object in a polished floor: faint, upside down, fading downwards.

    Args:
        scene: Changed in place.
        colour: float32 [h, w, 3] in 0..255, the object's bounding box.
        alpha: float32 [h, w], opacity in that box.
        corner: (left, top) of the box in the scene.
        rng: Source of strength and fading.
    """
    height, width = alpha.shape
    left, top = corner
    floor = scene[top + height : top + 2 * height, left : left + width]
    rows = len(floor)
    if not rows:
        return
    fade = np.linspace(1, rng.uniform(0.2, 1), height, dtype=np.float32)[:rows, None]
    share = blurred(alpha[::-1], 1.0)[:rows] * fade * np.float32(rng.uniform(0.08, 0.4))
    floor += share[..., None] * (blurred(colour[::-1], 1.5)[:rows] - floor)
