"""A camera's own training data, from footage that nobody labelled.

A network labels its frames where it is sure. Where what it calls new is the scene itself, moved a
little and never the same twice (`edge.scene.estimate_spread.alive`), the label is background: that
is what it did not know. In between nothing is labelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.calibrate.rendering.samples import Rendered
from edge.errors import EdgeError
from edge.files import atomic_write
from edge.loop.masks import LIKELY
from edge.samples.sample import BACKGROUND, FOREGROUND, IGNORED, Image, Sample
from edge.samples.sequences import INPUT, LABELS, SPREAD
from edge.scene.estimate_spread import alive
from edge.train.augment.copy_paste import paste_objects
from edge.train.data.crops import Crops
from edge.train.data.cutouts import MAX_SIDE, Cutout, extract_cutouts
from edge.train.data.mix import WeightedSource

SURE = 0.2
"""Probability up to which a pixel is background; from 1 - SURE it is foreground."""
HELD_BACK = 5
"""Every so many-th frame is not trained on: composites of it choose the weights."""
UNKNOWN = 0.1
"""Share of unlabelled pixels from which a network does not know a scene well enough to teach it."""
Labels = npt.NDArray[np.uint8]


def label_frames(frames: Image, bg: Image, probabilities: npt.NDArray[np.float32]) -> Labels:
    """Label the frames of a scene.

    Args:
        frames: uint8 [N, H, W, 3] BGR, registered to `bg`, of different moments.
        bg: uint8 [H, W, 3] BGR, the background.
        probabilities: float32 [N, H, W], the network's masks in 0..1.

    Returns:
        uint8 [N, H, W] of BACKGROUND, FOREGROUND and IGNORED.
    """
    labels = np.full(probabilities.shape, IGNORED, np.uint8)
    labels[probabilities <= SURE] = BACKGROUND
    labels[probabilities >= 1 - SURE] = FOREGROUND
    labels[alive(frames, bg, probabilities >= LIKELY)] = BACKGROUND
    return labels


def refuse_unsure(labels: Labels, scene: str, network: str) -> None:
    """EdgeError where a network is unsure of so much that it would learn its own mistakes."""
    unknown = float((labels == IGNORED).mean())
    if unknown > UNKNOWN:
        raise EdgeError(
            f"{scene}: {network} is unsure of {100 * unknown:.0f} % of the pixels (at most"
            f" {100 * UNKNOWN:.0f} %), so it cannot teach itself",
            "adapt on footage in which the scene can be seen empty most of the time",
        )


def rendered_cutouts(count: int, seed: int) -> list[Cutout]:
    """The objects of rendered scenes: a camera's own are few, and some are none."""
    scenes = Rendered(count, seed=seed)
    return [cutout for i in range(count) for cutout in extract_cutouts(scenes[i], MAX_SIDE)]


def compose(samples: Sequence[Sample], cutouts: Sequence[Cutout], seed: int) -> list[Sample]:
    """Paste objects into labelled frames; what was ignored stays ignored."""
    rng = np.random.default_rng(seed)
    composed = []
    for sample in samples:
        scene, mask = sample.fg_bg.astype(np.float32), sample.mask.copy()
        paste_objects(scene, mask, None, cutouts, rng)
        fg_bg = np.clip(scene + 0.5, 0, 255).astype(np.uint8)
        composed.append(replace(sample, fg_bg=fg_bg, mask=mask))
    return composed


def share_objects(sources: Sequence[WeightedSource], cutouts: Sequence[Cutout]) -> None:
    """Paste objects into recorded frames too, as often as the camera's own; changes `sources`."""
    for source, _ in sources:
        if isinstance(source, Crops) and source.recorded:
            own = source.cutouts
            source.cutouts = own * max(1, len(cutouts) // max(1, len(own))) + list(cutouts)


def write_sequence(folder: Path, samples: Sequence[Sample]) -> None:
    """Write samples of one scene as a labelled sequence (edge.samples.sequences)."""
    scene = samples[0]
    images = {Path("bg.png"): scene.bg}
    if scene.spread is not None:
        images[Path(f"bg{SPREAD}")] = scene.spread
    for number, sample in enumerate(samples):
        images[Path(INPUT, f"{number:06d}.png")] = sample.fg_bg
        images[Path(LABELS, f"{number:06d}.png")] = sample.mask  # the labels are CDnet's codes
    for name, image in images.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / name) as draft:
            draft.write_bytes(cv2.imencode(".png", image)[1].tobytes())
