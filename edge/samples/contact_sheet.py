"""A contact sheet: samples as people look at them, one row each of bg, fg_bg, mask and depth."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edge.samples.sample import IGNORED, Image, Sample, resize_sample


def grey(values: npt.NDArray[np.floating]) -> Image:
    """[H, W] in 0..1 as a grey picture; NaN is dark red."""
    unknown = ~np.isfinite(values)
    level = np.clip(np.nan_to_num(values) * 255, 0, 255).astype(np.uint8)
    picture = np.repeat(level[..., None], 3, axis=2)
    picture[unknown] = (0, 0, 64)
    return picture


def row(sample: Sample, height: int) -> Image:
    """bg, fg_bg, mask (ignored pixels grey) and depth side by side, `height` pixels tall."""
    width = round(sample.mask.shape[1] * height / sample.mask.shape[0])
    small = resize_sample(sample, height, width)
    mask = np.where(small.mask == IGNORED, 0.5, small.mask / 255.0)
    parts = [small.bg, small.fg_bg, grey(mask)]
    if small.depth is not None:
        parts.append(grey(small.depth))
    return np.hstack(parts)


def contact_sheet(samples: Sequence[Sample], columns: int = 2, height: int = 160) -> Image:
    """Rows of samples in `columns` columns, uint8 BGR."""
    rows = [row(sample, height) for sample in samples]
    wide = max(picture.shape[1] for picture in rows)
    padded = [
        np.asarray(cv2.copyMakeBorder(p, 2, 2, 2, wide - p.shape[1] + 2, cv2.BORDER_CONSTANT))
        for p in rows
    ]
    while len(padded) % columns:
        padded.append(np.zeros_like(padded[0]))
    lines = [np.hstack(padded[i : i + columns]) for i in range(0, len(padded), columns)]
    return np.asarray(np.vstack(lines), np.uint8)
