"""Scenes: frames with measured depth, for the depth of a single image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from edge.calibrate.labelled import report_skipped
from edge.calibrate.rendering import sensor
from edge.calibrate.rendering.sensor import Rng
from edge.progress import track
from edge.samples.sample import BACKGROUND, Image, Sample, SampleError, Samples, iter_samples
from edge.train.augment.crop import Matrix, warp
from edge.train.augment.photometric import Exposure, ExposurePair
from edge.train.data.cutouts import MAX_SIDE, Field, shrink

WHOLE = 0.4
"""Share of the images that are shown whole; of the others a part. Measured depth is right in both.
"""
LEAST = 0.6
"""Smallest side of a part, as a share of the image's."""
TILT = 6.0
"""Largest rotation of a part in degrees."""


class Scenes:
    """Source of frames and their measured depth, whole or a large part; `bg` is the frame itself.

    Args:
        samples: A set with true depth.
        indices: The samples of it that are used.
        size: Side of the training images in pixels.

    Attributes:
        names: All cameras of the set, whether used or left out.

    Raises:
        SampleError: No sample has a depth.
    """

    def __init__(self, samples: Samples, indices: Sequence[int], size: int) -> None:
        self.name, self.size = samples.name, size
        self.names = {samples.sequence(i) for i in range(len(samples))}
        self.scenes = list(_read(samples, indices))
        report_skipped(samples.skipped)
        if not self.scenes:
            raise SampleError(f"no depth to train on in {samples.name}")

    def draw(self, rng: Rng) -> tuple[Sample, ExposurePair]:
        """Draw a scene without photometric augmentation, and the exposure to apply to it."""
        image, depth = self.scenes[int(rng.integers(len(self.scenes)))]
        matrix = random_view(rng, image.shape, self.size)
        frame = warp(image, matrix, self.size, cv2.INTER_LINEAR)
        border = np.float32(np.nan)
        truth = cv2.warpAffine(
            depth, matrix, (self.size, self.size), flags=cv2.INTER_NEAREST,
            borderMode=cv2.BORDER_CONSTANT, borderValue=float(border),
        )  # fmt: skip
        mask = np.full((self.size, self.size), BACKGROUND, np.uint8)
        frame = _recoloured(frame, rng)
        exposure = _random_exposure(rng)
        sample = Sample(self.name, frame, frame, mask, np.asarray(truth, np.float32), True)
        return sample, ExposurePair(Exposure(), exposure)


def random_view(rng: Rng, shape: tuple[int, ...], size: int) -> Matrix:
    """Draw a view, the whole image or a part of it, perhaps mirrored, as an affine map.

    A part has an aspect ratio between a tall one and 16:9 and is rotated a little, as cameras hang.

    Args:
        rng: Source of all of it.
        shape: Shape of the image, (height, width, ...).
        size: Side of the square result in pixels.

    Returns:
        float32 [2, 3], the map from image coordinates to those of the view.
    """
    height, width = shape[:2]
    part_height, part_width, angle = float(height), float(width), 0.0
    if rng.random() >= WHOLE:
        part_height *= rng.uniform(LEAST, 1)
        part_width *= rng.uniform(LEAST, 1)
        angle = np.deg2rad(rng.uniform(-TILT, TILT)) if rng.random() < 0.5 else 0.0
    centre = np.array(
        [
            rng.uniform(part_width / 2, width - part_width / 2),
            rng.uniform(part_height / 2, height - part_height / 2),
        ]
    )
    sign = -1.0 if rng.random() < 0.5 else 1.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = np.diag([sign * size / part_width, size / part_height]) @ turn
    return np.column_stack([linear, size / 2 - linear @ centre]).astype(np.float32)


def _read(samples: Samples, indices: Sequence[int]) -> Iterator[tuple[Image, Field]]:
    """Frames of at most MAX_SIDE pixels a side, and their inverse depth of at most 1."""
    tracked = track(iter_samples(samples, indices), len(indices), f"reading {samples.name}")
    for _, sample in tracked:
        if sample.depth is None or not np.isfinite(sample.depth).any():
            continue
        image = shrink(sample.fg_bg, MAX_SIDE)
        height, width = image.shape[:2]
        # Nearest: a mean of near and far is neither, and NaN would spread.
        depth = cv2.resize(sample.depth, (width, height), interpolation=cv2.INTER_NEAREST)
        yield image, np.asarray(depth / np.nanmax(depth), np.float32)


def _recoloured(image: Image, rng: Rng) -> Image:
    """Other colours, saturation or none at all: depth does not depend on paint."""
    if rng.random() < 0.5:
        return image
    grey = image.mean(2, keepdims=True)
    share = 0.0 if rng.random() < 0.25 else rng.uniform(0.3, 1.5)
    tint = np.exp(rng.normal(0, 0.1, 3))
    mixed = (grey + share * (image - grey)) * tint
    return np.asarray(np.clip(mixed + 0.5, 0, 255), np.uint8)


def _random_exposure(rng: Rng) -> Exposure:
    """Light, blur, noise and compression of some other camera."""
    table = sensor.light_table(rng, gain=(0.5, 1.6), balance=0.12)
    blur = rng.uniform(0.3, 1.2) if rng.random() < 0.3 else 0.0
    noise = rng.uniform(0.5, 8) if rng.random() < 0.3 else 0.0
    quality = int(rng.integers(30, 91)) if rng.random() < 0.3 else 0
    seed = int(rng.integers(1 << 31))
    return Exposure(table, blur=blur, noise=noise, seed=seed, quality=quality)
