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
    return _blurred(np.asarray(laid, np.float32), spread)


def loose_shadow(size: int, rng: Rng) -> Field:
    """Of something outside the picture, [size, size]: an ellipse, blurred."""
    field = np.zeros((size, size), np.float32)
    centre = tuple(int(v) for v in rng.integers(0, size, 2))
    axes = tuple(int(v) for v in rng.integers(size // 16, size // 2, 2))
    cv2.ellipse(field, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
    return _blurred(field, rng.uniform(0.7, 6.0))
