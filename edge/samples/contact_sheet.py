"""A contact sheet: one image of several samples, each a row of bg, fg_bg, mask and depth."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edge.samples.sample import IGNORED, Image, Sample, resize_sample


def grey(values: npt.NDArray[np.floating]) -> Image:
    """Convert values [H, W] in 0..1 to a grey image, uint8 [H, W, 3] BGR; NaN becomes dark red."""
    unknown = ~np.isfinite(values)
    level = np.clip(np.nan_to_num(values) * 255, 0, 255).astype(np.uint8)
    image = np.repeat(level[..., None], 3, axis=2)
    image[unknown] = (0, 0, 64)
    return image


def row(sample: Sample, height: int) -> Image:
    """Place bg, fg_bg, mask (ignored pixels grey) and depth side by side, `height` pixels tall."""
    width = round(sample.mask.shape[1] * height / sample.mask.shape[0])
    small = resize_sample(sample, height, width)
    mask = np.where(small.mask == IGNORED, 0.5, small.mask / 255.0)
    parts = [small.bg, small.fg_bg, grey(mask)]
    if small.depth is not None:
        parts.append(grey(small.depth))
    return np.hstack(parts)


def contact_sheet(samples: Sequence[Sample], columns: int = 2, height: int = 160) -> Image:
    """Arrange the rows of samples in `columns` columns, uint8 [H, W, 3] BGR."""
    rows = [row(sample, height) for sample in samples]
    width = max(image.shape[1] for image in rows)
    padded = [
        np.asarray(
            cv2.copyMakeBorder(image, 2, 2, 2, width - image.shape[1] + 2, cv2.BORDER_CONSTANT)
        )
        for image in rows
    ]
    while len(padded) % columns:
        padded.append(np.zeros_like(padded[0]))
    lines = [np.hstack(padded[i : i + columns]) for i in range(0, len(padded), columns)]
    return np.asarray(np.vstack(lines), np.uint8)
