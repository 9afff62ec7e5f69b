"""The spread of labelled sequences, as the product learns it without labels, and by their labels.

A sample is never scored with a spread that its own frame is part of: samples at even positions of a
sequence get that of the odd ones, and the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

import edge
from edge.benchmarks.measuring.samples import Labelled
from edge.image import fit, resize_image
from edge.loop.learn import learn_spread
from edge.samples.median import MARGIN
from edge.samples.sample import FOREGROUND, IGNORED, Image, Sample, evenly_spaced
from edge.scene.gather import MOST
from edge.scene.spread import spread_of
from edge.scene.stabilize import registered_to

Learn = Callable[[edge.Handle, Sequence[Sample]], Image]
"""The spread of a scene from its samples, uint8 [h.height, h.width, 3]."""


def without_labels(h: edge.Handle, samples: Sequence[Sample], stabilize: bool = True) -> Image:
    """The spread as `edge run` learns it from at most MOST of a scene's frames."""
    chosen = _chosen(samples)
    return learn_spread(h, [sample.fg_bg for sample in chosen], chosen[0].bg, stabilize)


def of_all_frames(h: edge.Handle, samples: Sequence[Sample]) -> Image:
    """The spread of the same registered frames, whoever is in them."""
    bg, frames = _registered(h, _chosen(samples))
    return spread_of(frames, bg)


def by_labels(h: edge.Handle, samples: Sequence[Sample]) -> Image:
    """The spread of the same registered frames where their labels call them empty."""
    chosen = _chosen(samples)
    bg, frames = _registered(h, chosen)
    return spread_of(frames, bg, [~_covered(h, sample) for sample in chosen])


def _chosen(samples: Sequence[Sample]) -> list[Sample]:
    return [samples[i] for i in evenly_spaced(samples, MOST)]


def _registered(h: edge.Handle, samples: Sequence[Sample]) -> tuple[Image, list[Image]]:
    """The background of a scene and its frames registered to it, at the build's size."""
    bg = fit(h, samples[0].bg)
    return bg, registered_to(bg, [fit(h, sample.fg_bg) for sample in samples])


def _covered(h: edge.Handle, sample: Sample) -> npt.NDArray[np.bool_]:
    labels = cv2.resize(sample.mask, (h.width, h.height), interpolation=cv2.INTER_NEAREST)
    covered = ((labels == FOREGROUND) | (labels == IGNORED)).astype(np.uint8)
    return np.asarray(cv2.dilate(covered, np.ones((MARGIN, MARGIN), np.uint8)) > 0)


def with_spread(
    h_of: Callable[[str], edge.Handle], samples: Labelled, learn: Learn = without_labels
) -> Labelled:
    """Give each sample the spread of its sequence, learned from the other half of the frames.

    Args:
        h_of: The open build that learns the spread of a sequence; its background is replaced.
        samples: (sequence, sample), the samples of a sequence one after the other.
        learn: From samples to a spread.
    """
    scenes: dict[str, list[Sample]] = {}
    for scene, sample in samples:
        scenes.setdefault(scene, []).append(sample)
    given: Labelled = []
    for scene, members in scenes.items():
        h, size = h_of(scene), members[0].bg.shape[:2]
        spreads = [
            resize_image(learn(h, half), *size) if half else None
            for half in (members[1::2], members[::2])
        ]
        given += [(scene, replace(s, spread=spreads[i % 2])) for i, s in enumerate(members)]
    return given
