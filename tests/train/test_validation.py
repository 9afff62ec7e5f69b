"""The scores that choose the best weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from edge.accuracy import THRESHOLD, MaskCounts, count_mask, depth_scores, mean_mask_scores, means
from edge.samples.sample import Sample, resize_sample
from edge.train.checkpoint import network_of
from edge.train.data.mix import collate
from edge.train.networks import network_inputs
from edge.train.validation import SIDE, validate

SAMPLES = (0, 1, 4, 5)
"""Two each of the two scenes of `samples`."""


@torch.no_grad()
def one_by_one(network: torch.nn.Module, samples: list[Sample]) -> dict[str, float]:
    """The scores of samples of one sequence, each answered by the whole network."""
    counts, depths = MaskCounts(), []
    for sample in samples:
        small = resize_sample(sample, SIDE, SIDE)
        logits, depth = network(*network_inputs(collate([small])))
        counts += count_mask(torch.sigmoid(logits)[0, 0].numpy() >= THRESHOLD, small.mask)
        depths.append(depth_scores(depth[0, 0].numpy(), small.depth))
    masks, planes = mean_mask_scores([counts]), means(depths)
    assert masks and planes
    return {"f_measure": masks["f_measure"], "delta1": planes["delta1"]}


def test_the_depth_of_a_scene_is_computed_once_and_anew_for_other_weights(
    samples: list[Sample],
) -> None:
    chosen = [samples[i] for i in SAMPLES]
    network, _ = network_of(Path("nano"))
    scene, passes = network.scene_depth, []
    scene.head.register_forward_hook(lambda *_: passes.append(0))
    device = torch.device("cpu")
    for _ in range(2):
        passes.clear()
        found = validate(network.train(), [("rendered", s) for s in chosen], device)
        assert len(passes) == 2 * 2  # scenes, sizes
        assert network.training and network.scene_depth is scene
        expected = one_by_one(network.eval(), chosen)
        assert found == pytest.approx({**expected, "score": sum(expected.values()) / 2}, abs=1e-6)
        with torch.no_grad():
            scene.head.bias += 1.0
