"""Scores on samples that are not trained on: what chooses the best weights of a run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from edge.accuracy import THRESHOLD, MaskCounts, count_mask, depth_scores, means
from edge.samples.sample import Sample, resize_sample
from edge.train.networks import normalised

SIDE = 224
"""Height and width at which the samples are seen and scored."""


@torch.no_grad()
def validate(
    network: nn.Module, samples: Sequence[tuple[str, Sample]], device: torch.device
) -> dict[str, float]:
    """f_measure, mean over the sequences of `samples` (sequence, sample); delta1, mean over the
    pictures whose depth is known; score, the mean of both. What the network does not give has none.
    """
    training = network.training
    network.eval()
    height, width = network.only or (SIDE, SIDE)  # type: ignore[misc]
    counts: dict[str, MaskCounts] = {}
    depths: list[dict[str, float]] = []
    for name, sample in samples:
        small = resize_sample(sample, height, width)
        pair = (torch.from_numpy(image)[None].to(device) for image in (small.bg, small.fg_bg))
        logits, depth = network(*(normalised(image) for image in pair))
        if logits is not None:
            found = torch.sigmoid(logits)[0, 0].float().cpu().numpy() >= THRESHOLD
            counts[name] = counts.get(name, MaskCounts()) + count_mask(found, small.mask)
        if depth is not None and small.depth is not None:
            depths.append(depth_scores(depth[0, 0].float().cpu().numpy(), small.depth))
    network.train(training)
    scores = {}
    if counts:
        scores["f_measure"] = means([count.scores() for count in counts.values()])["f_measure"]
    if depths:
        scores["delta1"] = means(depths)["delta1"]
    scores["score"] = float(np.mean(list(scores.values()))) if scores else 0.0
    return scores
