"""Depth of the networks and of their teacher, against rendered and measured depth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.accuracy import depth_scores, means
from edge.benchmarks.accuracy.networks import Network
from edge.samples.depth_teacher import DepthTeacher
from edge.samples.sample import FOREGROUND, Sample

Depths = dict[str, dict[str, dict[str, float]]]
"""[source][network]: abs_rel, delta1 of the whole image, and (`foreground_...`) of foreground."""
Estimate = Callable[[Sample], npt.NDArray[np.float32] | None]


def score_depths(
    networks: list[Network], sources: dict[str, list[Sample]], teacher: DepthTeacher | None
) -> Depths:
    """Score the depth of every network and of the teacher on every source."""
    estimates: dict[str, Estimate] = {}
    if teacher is not None:
        estimates["teacher"] = lambda sample: teacher(sample.fg_bg)
        estimates["teacher, with flip"] = lambda sample: teacher.with_flip(sample.fg_bg)
    estimates |= {network.title: _estimate(network) for network in networks}
    return {
        source: {title: _score(estimate, samples) for title, estimate in estimates.items()}
        for source, samples in sources.items()
    }


def _estimate(network: Network) -> Estimate:
    return lambda sample: network.answer("", sample.bg, sample.fg_bg, sample.spread)[1]


def _score(estimate: Estimate, samples: list[Sample]) -> dict[str, float]:
    whole, foreground = [], []
    for sample in samples:
        depth = estimate(sample)
        assert depth is not None and sample.depth is not None
        whole.append(depth_scores(depth, sample.depth))
        pixels = sample.mask == FOREGROUND
        if pixels.any():
            foreground.append(depth_scores(depth, sample.depth, pixels))
    near = means(foreground) or {}
    return (means(whole) or {}) | {f"foreground_{key}": value for key, value in near.items()}


def read_rgbd(folder: Path) -> list[Sample]:
    """RGB-D frames of empty scenes, each its own background: only the scene's depth is scored."""
    samples = []
    for path in sorted(folder.glob("*/rgb/*.jpg"))[::4]:
        image = np.asarray(cv2.imread(str(path)), np.uint8)
        file = path.parents[1] / "depth" / f"{path.stem}.png"
        metres = np.asarray(cv2.imread(str(file), cv2.IMREAD_UNCHANGED), np.float32)
        near = np.where(metres > 0, 1 / np.maximum(metres, 1), np.float32(np.nan))
        empty = np.zeros(image.shape[:2], np.uint8)
        samples.append(Sample(path.stem, image, image, empty, near, True))
    return samples
