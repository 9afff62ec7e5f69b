"""Shadows of objects outside the image. Fields are float32 [H, W] in 0..1."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.calibrate.rendering.sensor import Rng

Field = npt.NDArray[np.float32]


def darken(scene: Field, shadow: Field, strength: float) -> None:
    """Multiply `scene`, float32 [H, W, 3], by 1 - strength * shadow in place."""
    scene *= (1 - strength * shadow)[..., None]


def blurred(field: Field, sigma: float) -> Field:
    """Return the field after a Gaussian blur of `sigma` pixels."""
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma), np.float32)


def shadow_from_outside(size: int, rng: Rng) -> Field:
    """Draw the shadow of an object outside the image: a blurred ellipse, [size, size]."""
    field = np.zeros((size, size), np.float32)
    centre = tuple(int(v) for v in rng.integers(0, size, 2))
    axes = tuple(int(v) for v in rng.integers(size // 16, size // 2, 2))
    cv2.ellipse(field, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
    return blurred(field, rng.uniform(0.7, 6.0))
