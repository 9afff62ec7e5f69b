"""Shadows, reflections and swaying leaves: what differs in a frame without being new.

Fields are float32 [H, W] in 0..1; scenes float32 [H, W, 3] in 0..255, changed in place.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.calibrate.rendering.sensor import Rng
from edge.calibrate.rendering.shadow import Field, blurred, shadow_from_outside


def cast_shadow(alpha: Field, rng: Rng) -> Field:
    """On the floor beside a thing: its outline laid down from the feet, blurred."""
    rows = np.nonzero((alpha > 0.5).any(1))[0]
    if not len(rows):
        return np.zeros_like(alpha)
    foot = float(rows.max())
    squash, lean = rng.uniform(0.15, 0.7), rng.uniform(-1.2, 1.2)
    upward = rng.random() < 0.5
    along = squash if upward else -squash
    matrix = np.array([[1, lean, -lean * foot], [0, along, foot * (1 - along)]], np.float32)
    laid = cv2.warpAffine(alpha, matrix, alpha.shape[::-1])
    spread = rng.uniform(0.5, 0.03 * alpha.shape[0])
    return blurred(np.asarray(laid, np.float32), spread)


def contact_shadow(alpha: Field, rng: Rng) -> Field:
    """Under a thing close to the floor, as a car is: a flat ellipse at its foot."""
    rows = np.nonzero((alpha > 0.5).any(1))[0]
    field = np.zeros_like(alpha)
    if not len(rows):
        return field
    foot, tall = int(rows[-1]), len(rows)
    columns = np.nonzero((alpha[max(foot - tall // 4, 0) : foot + 1] > 0.5).any(0))[0]
    wide = columns[-1] - columns[0] + 1
    centre = (round(columns.mean() + rng.normal(0, 0.08) * wide), foot)
    axes = round(wide * rng.uniform(0.45, 0.65)) + 1, round(tall * rng.uniform(0.03, 0.15)) + 1
    cv2.ellipse(field, centre, axes, 0, 0, 360, 1.0, -1)
    return blurred(field, rng.uniform(0.5, 0.02 * len(alpha)))


def reflect(scene: Field, colour: Field, alpha: Field, box: tuple[int, int], rng: Rng) -> None:
    """A thing upside down below its foot, as a polished floor shows it: faint, fainter downwards.

    colour, alpha: of the thing's box, whose corner lies at box, (left, top), of the scene.
    """
    tall, wide = alpha.shape
    left, top = box
    part = scene[top + tall : top + 2 * tall, left : left + wide]
    rows = len(part)
    if not rows:
        return
    fade = np.linspace(1, rng.uniform(0.2, 1), tall, dtype=np.float32)[:rows, None]
    share = blurred(alpha[::-1], 1.0)[:rows] * fade * np.float32(rng.uniform(0.08, 0.4))
    part += share[..., None] * (blurred(colour[::-1], 1.5)[:rows] - part)


def sway(scene: Field, rng: Rng) -> None:
    """Leaves in the wind: an ellipse of the scene in which small parts move by a few pixels."""
    size = len(scene)
    where = shadow_from_outside(size, rng)
    grid = rng.normal(0, rng.uniform(0.8, 3), (2, size // 8, size // 8)).astype(np.float32)
    dx, dy = (cv2.resize(one, (size, size), interpolation=cv2.INTER_CUBIC) for one in grid)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    moved = cv2.remap(
        scene, x + where * dx, y + where * dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    scene[:] = moved
