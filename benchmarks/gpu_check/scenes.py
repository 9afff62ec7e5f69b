"""The frames of the checks, and what the CPU answers to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx

from edge.calibrate.evaluator import exact
from edge.calibrate.rendering.samples import Rendered
from edge.runtime.handle import Outputs
from edge.samples.sample import Sample, resize_sample
from edge.targets import BACKGROUND, FRAME

PER_SCENE = 4


@dataclass(frozen=True)
class Scene:
    """A background and its spread, frames in front of it, and mask and depth [N, 2, H, W] by the
    CPU."""

    bg: npt.NDArray[np.uint8]
    spread: npt.NDArray[np.uint8] | None
    frames: list[npt.NDArray[np.uint8]]
    truth: npt.NDArray[np.float32]


def rendered_samples(count: int, size: tuple[int, int]) -> list[Sample]:
    """Rendered samples at (height, width), PER_SCENE of a scene after each other."""
    rendered = Rendered(count, size, seed=5, frames_per_scene=PER_SCENE)
    return [resize_sample(rendered[number], *size) for number in range(count)]


def scenes_of(build: Path, samples: Sequence[Sample]) -> list[Scene]:
    """Two scenes, with the answers of the build's own graphs in ONNX Runtime, optimiser off.

    Args:
        build: A folder with both graphs.
        samples: Of `rendered_samples`.
    """
    background, frame_graph = (onnx.load(build / name) for name in (BACKGROUND, FRAME))
    first, second = exact(background), exact(frame_graph)
    scene = [value.name for value in background.graph.output]
    scenes = []
    for start in (0, PER_SCENE):
        group = samples[start : start + PER_SCENE]
        constants = dict(zip(scene, first(scene, group[0].inputs()), strict=True))
        frames = [sample.fg_bg for sample in group]
        answers = [
            np.concatenate(second(["mask", "depth"], {"fg_bg": frame[None], **constants}))[:, 0]
            for frame in frames
        ]
        scenes.append(Scene(group[0].bg, group[0].spread, frames, np.stack(answers)))
    return scenes


def planes(outputs: Outputs) -> npt.NDArray[np.float32]:
    """A copy of mask and depth as [2, H, W]."""
    mask, depth = outputs
    assert mask is not None and depth is not None  # of a bundled network
    return np.stack([mask, depth]).astype(np.float32)
