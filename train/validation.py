"""Scores on samples that are not trained on, which choose the best weights of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from edge.accuracy import THRESHOLD, MaskCounts, count_mask, depth_scores, mean_mask_scores, means
from edge.samples.sample import Sample, resize_sample
from edge.train.data.mix import collate
from edge.train.networks import network_inputs
from edge.train.networks.scene import SceneDepth

SIDE = 224
"""Height and width at which samples are scored."""


class _Remembered(nn.Module):
    """The depth of a scene, computed anew for another background alone: all its test-time passes
    take ten times as long as a frame."""

    def __init__(self, scene: SceneDepth) -> None:
        super().__init__()
        self.scene = scene
        self.last: tuple[Tensor, Tensor] | None = None

    def forward(self, image: Tensor) -> Tensor:
        if self.last is None or not torch.equal(self.last[0], image):
            self.last = image, self.scene(image)
        return self.last[1]


@contextmanager
def _once_per_scene(network: nn.Module) -> Iterator[None]:
    """A network whose weights stay as they are computes the depth of each scene once."""
    scenes = {n: part for n, part in network.named_modules() if isinstance(part, SceneDepth)}
    for name, scene in scenes.items():
        network.set_submodule(name, _Remembered(scene))
    try:
        yield
    finally:
        for name, scene in scenes.items():
            network.set_submodule(name, scene)


@torch.no_grad()
def validate(
    network: nn.Module, samples: Sequence[tuple[str, Sample]], device: torch.device
) -> dict[str, float]:
    """Score a network.

    Args:
        network: Left in its training or evaluation mode.
        samples: (sequence, sample) each.
        device: Where the network lies.

    Returns:
        f_measure, the mean over sequences; delta1, the mean over images of known depth; score, the
        mean of both. A score of an output that the network lacks is missing.
    """
    training = network.training
    network.eval()
    height, width = network.only or (SIDE, SIDE)  # type: ignore[misc]
    counts: dict[str, MaskCounts] = {}
    depths: list[dict[str, float] | None] = []
    with _once_per_scene(network):
        for sequence, sample in samples:
            small = resize_sample(sample, height, width)
            batch = collate([small])
            logits, depth = network(*(image.to(device) for image in network_inputs(batch)))
            if logits is not None:
                mask = torch.sigmoid(logits)[0, 0].float().cpu().numpy() >= THRESHOLD
                counts[sequence] = counts.get(sequence, MaskCounts()) + count_mask(mask, small.mask)
            if depth is not None and small.depth is not None:
                depths.append(depth_scores(depth[0, 0].float().cpu().numpy(), small.depth))
    network.train(training)
    scores = {}
    if mask_scores := mean_mask_scores(counts.values()):
        scores["f_measure"] = mask_scores["f_measure"]
    if depth_means := means(depths):
        scores["delta1"] = depth_means["delta1"]
    scores["score"] = float(np.mean(list(scores.values()))) if scores else 0.0
    return scores
