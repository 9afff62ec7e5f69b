"""Depth of the networks, of their teacher and of a constant, against rendered and measured depth.

Measured depth is that of places held out from training (benchmarks/zoo/places.py), by set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.accuracy import depth_scores, means
from edge.benchmarks.accuracy.networks import Network
from edge.benchmarks.zoo.places import BLOCKED, HELD_OUT, use_of, use_of_frame
from edge.samples.depth_teacher import DepthTeacher
from edge.samples.rgbd import BG, RgbdCamera
from edge.samples.sample import FOREGROUND, Sample, evenly_spaced

FRAMES = 40
"""Frames of a camera, evenly spaced."""
CONSTANT = "a constant"
Depths = dict[str, dict[str, dict[str, float]]]
"""[source][network]: abs_rel, delta1 of the whole image, and (`foreground_...`) of foreground."""
Estimate = Callable[[Sample], npt.NDArray[np.float32] | None]


def score_depths(
    networks: list[Network], sources: dict[str, list[Sample]], teacher: DepthTeacher | None
) -> Depths:
    """Score the depth of every network, of the teacher and of a constant on every source."""
    estimates: dict[str, Estimate] = {
        CONSTANT: lambda sample: np.zeros(sample.mask.shape, np.float32)
    }
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


def read_scenes(rgbd: Path) -> dict[str, list[Sample]]:
    """The scenes of places held out from training, by camera: the background of a fixed camera,
    else frames, each its own background."""
    sets = {}
    for name, camera in _held_out(rgbd):
        frames = [
            index
            for index, (file, _, _) in enumerate(camera.frames)
            if (file.name == BG if camera.has_background else _is_held_out(name, file))
        ]
        sets[name] = _read(camera, frames)
    return {name: samples for name, samples in sets.items() if samples}


def read_people(rgbd: Path) -> dict[str, list[Sample]]:
    """Frames with a mask of fixed cameras at places held out from training, by camera."""
    sets = {}
    for name, camera in _held_out(rgbd):
        if camera.has_background:
            masked = [i for i, (_, _, mask) in enumerate(camera.frames) if mask is not None]
            samples = _read(camera, masked)
            sets[name] = [sample for sample in samples if (sample.mask == FOREGROUND).any()]
    return {name: samples for name, samples in sets.items() if samples}


def _held_out(rgbd: Path) -> Iterator[tuple[str, RgbdCamera]]:
    for folder in sorted(path.parent for path in rgbd.glob("*/rgb")):
        if folder.name == BLOCKED or use_of(folder.name) == HELD_OUT:
            yield folder.name, RgbdCamera(folder, folder.name)


def _is_held_out(camera: str, file: Path) -> bool:
    return camera != BLOCKED or use_of_frame(int(file.stem)) == HELD_OUT


def _read(camera: RgbdCamera, frames: list[int]) -> list[Sample]:
    return [camera.read(frames[i]) for i in evenly_spaced(frames, FRAMES)]


def mean_of(sets: Depths) -> dict[str, dict[str, float]]:
    """The mean over the sets of each network; a score that a set lacks does not count."""
    titles = dict.fromkeys(title for scores in sets.values() for title in scores)
    mean = {}
    for title in titles:
        scores = [of[title] for of in sets.values() if title in of]
        keys = dict.fromkeys(key for score in scores for key in score)
        mean[title] = {k: float(np.mean([s[k] for s in scores if k in s])) for k in keys}
    return mean
