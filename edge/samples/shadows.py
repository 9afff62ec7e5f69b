"""Shadows: what is darker in a frame without being new. Fields are float32 [H, W] in 0..1."""

from __future__ import annotations

import cv2
import numpy as np

from edge.samples.cutouts import Field
from edge.samples.sensor import Rng


def darken(scene: Field, shadow: Field, strength: float) -> None:
    """Multiply `scene` float32 [H, W, 3] in place by 1 - strength where the shadow falls."""
    scene *= (1 - strength * shadow)[..., None]


def _blurred(field: Field, sigma: float) -> Field:
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma), np.float32)


def _rows(alpha: Field) -> tuple[int, int] | None:
    """The first and last row in which a thing is."""
    rows = np.nonzero((alpha > 0.5).any(1))[0]
    return (int(rows[0]), int(rows[-1])) if len(rows) else None


def cast_shadow(alpha: Field, rng: Rng) -> Field:
    """On the floor beside a thing: its outline laid down from the feet, blurred."""
    rows = _rows(alpha)
    if rows is None:
        return np.zeros_like(alpha)
    foot = float(rows[1])
    squash, lean = rng.uniform(0.15, 0.7), rng.uniform(-1.2, 1.2)
    upward = rng.random() < 0.5
    along = squash if upward else -squash
    matrix = np.array([[1, lean, -lean * foot], [0, along, foot * (1 - along)]], np.float32)
    laid = cv2.warpAffine(alpha, matrix, alpha.shape[::-1])
    spread = rng.uniform(0.5, 0.03 * alpha.shape[0])
    return _blurred(np.asarray(laid, np.float32), spread)


def contact_shadow(alpha: Field, rng: Rng) -> Field:
    """Under and close beside a thing that stands, as below a car: the lower part of its outline,
    moved a little down and aside, hardly blurred."""
    rows = _rows(alpha)
    if rows is None:
        return np.zeros_like(alpha)
    head, foot = rows
    height = foot - head + 1
    lower = alpha.copy()
    lower[: int(foot - height * rng.uniform(0.1, 0.35))] = 0
    columns = np.nonzero((lower > 0.5).any(0))[0]
    aside = rng.uniform(-0.2, 0.2) * len(columns)
    matrix = np.array([[1, 0, aside], [0, 1, rng.uniform(0.02, 0.12) * height]], np.float32)
    moved = cv2.warpAffine(lower, matrix, alpha.shape[::-1])
    return _blurred(np.asarray(moved, np.float32), rng.uniform(0.3, 0.3 + 0.02 * height))


def loose_shadow(size: int, rng: Rng) -> Field:
    """Of something outside the picture, [size, size]: an ellipse, blurred."""
    field = np.zeros((size, size), np.float32)
    centre = tuple(int(v) for v in rng.integers(0, size, 2))
    axes = tuple(int(v) for v in rng.integers(size // 16, size // 2, 2))
    cv2.ellipse(field, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
    return _blurred(field, rng.uniform(0.7, 6.0))
