"""Random crops: a part of an image, stretched and perhaps mirrored, as a square."""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from edge.calibrate.rendering.sensor import Rng

Matrix = npt.NDArray[np.float32]
AnyImage = TypeVar("AnyImage", npt.NDArray[np.uint8], npt.NDArray[np.float32])


def random_crop(rng: Rng, shape: tuple[int, ...], size: int, *, whole: bool = False) -> Matrix:
    """Draw a crop as an affine map.

    Args:
        rng: Source of position, scale, aspect ratio and mirroring.
        shape: Shape of the image, (height, width, ...).
        size: Side of the square result in pixels.
        whole: Take the whole image, squeezed as a build squeezes it; only mirroring is random.

    Returns:
        float32 [2, 3], the map from image coordinates to those of the crop.
    """
    height, width = shape[:2]
    crop_height, crop_width = float(height), float(width)
    if not whole:
        share = rng.uniform(0.55, 1.0)
        stretch = np.exp(rng.uniform(-0.15, 0.15))
        crop_height = min(height, share * min(height, width) * stretch)
        crop_width = min(width, share * min(height, width) / stretch)
    top, left = rng.uniform(0, height - crop_height), rng.uniform(0, width - crop_width)
    sx, sy = size / crop_width, size / crop_height
    if rng.random() < 0.5:
        return np.array([[-sx, 0, sx * (left + crop_width)], [0, sy, -sy * top]], np.float32)
    return np.array([[sx, 0, -sx * left], [0, sy, -sy * top]], np.float32)


def warp(image: AnyImage, matrix: Matrix, size: int, flags: int) -> AnyImage:
    """Apply the map of `random_crop` to an image.

    Args:
        image: [H, W] or [H, W, C].
        matrix: float32 [2, 3].
        size: Side of the square result in pixels.
        flags: OpenCV's interpolation, such as cv2.INTER_LINEAR.

    Returns:
        [size, size] or [size, size, C], of the image's dtype.
    """
    cropped = cv2.warpAffine(
        image, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(cropped, image.dtype)
