"""Training goes on from folded BatchNorm without losing what the network knows."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from edge.train.checkpoint import network_of
from edge.train.data.mix import Batch, Mix, WeightedSource, batches, open_source
from edge.train.folding import fold_batchnorm, folded_norms, measure_statistics
from edge.train.learner import loss_terms
from edge.train.loop import Run
from edge.train.networks import create, normalised
from edge.train.recipe import Recipe

from .batchnorm import shuffled

SIDE = 96
RECIPE = Recipe(
    "nano", ("rendered:16:3",), (), 1, 192, 8, SIDE, 3e-4, 0, depth_loss="ssi", start="nano"
)


@pytest.fixture(scope="module")
def sources() -> list[WeightedSource]:
    return [open_source(RECIPE.data[0], SIDE, None, ())]


@pytest.fixture(scope="module")
def unseen() -> list[Batch]:
    """Two batches of scenes that no run here is trained on."""
    scenes = [open_source("rendered:8:77", SIDE, None, ())]
    return list(batches(Mix(scenes, seed=5, start=0, end=32, batch=16)))


@torch.no_grad()
def loss(network: nn.Module, unseen: list[Batch]) -> float:
    """The mean loss in the network's mode, which it keeps; its statistics stay."""
    probe = copy.deepcopy(network)
    total = 0.0
    for batch in unseen:
        outputs = probe(normalised(batch["bg"]), normalised(batch["fg_bg"]))
        total += float(sum(loss_terms(*outputs, batch, depth_loss="ssi").values()))
    return total / len(unseen)


@pytest.mark.parametrize("name", ["nano", "transposed", "transposed-seed"])
def test_folding_changes_no_result(name: str) -> None:
    """Of transposed convolutions in groups too, which torch's own function does not fold."""
    network, pair = shuffled(create(name)), torch.rand(2, 1, 3, 64, 64)
    with torch.no_grad():
        before = network(*pair)
        folded = fold_batchnorm(copy.deepcopy(network))
        after = folded(*pair)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in folded.modules())
    for a, b in zip(before, after, strict=True):
        assert torch.allclose(a, b, atol=1e-4, rtol=1e-4)


def test_which_layers_are_folded() -> None:
    assert not folded_norms(create("nano"))
    network, _ = network_of(Path("nano"))
    everywhere = sum(isinstance(part, nn.BatchNorm2d) for part in network.modules())
    scene = network.scene_depth
    frozen = sum(isinstance(part, nn.BatchNorm2d) for part in scene.modules())  # type: ignore[union-attr]
    assert len(folded_norms(network)) == everywhere - frozen > 0
    scene.kept = False  # type: ignore[union-attr]
    assert len(folded_norms(network)) == everywhere


def test_measured_statistics_are_those_of_torch_and_change_no_result() -> None:
    torch.manual_seed(1)
    network, _ = network_of(Path("nano"))
    images = [(torch.rand(4, 3, 64, 64), torch.rand(4, 3, 64, 64)) for _ in range(3)]
    with torch.no_grad():
        before = network(*images[0])
        measure_statistics(network, images)
        after = network(*images[0])
    for a, b in zip(before, after, strict=True):
        assert torch.allclose(a, b, atol=2e-5)
    assert not folded_norms(network)
    first = network.get_submodule("encoder.levels.0")
    seen = torch.cat([first[0](image) for pair in images for image in pair])  # type: ignore[index, operator]
    norm = first[1]  # type: ignore[index]
    assert torch.allclose(norm.running_mean, seen.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(norm.running_var, seen.var((0, 2, 3)), rtol=1e-3)


def test_the_first_step_in_training_finds_the_network_as_it_was(
    tmp_path: Path, sources: list[WeightedSource], unseen: list[Batch]
) -> None:
    start, _ = network_of(Path("nano"))
    evaluated, unmeasured = loss(start, unseen), loss(copy.deepcopy(start).train(), unseen)
    fabric = Fabric(accelerator="cpu", precision="32-true")
    learner = Run(RECIPE, tmp_path, fabric, sources).learners[0]
    assert learner.plain.training
    measured = loss(learner.plain, unseen)
    assert loss(learner.average.module, unseen) == pytest.approx(evaluated, rel=1e-3)
    assert abs(measured - evaluated) < 0.3 * evaluated  # a batch has statistics of its own
    assert unmeasured - evaluated > 3 * abs(measured - evaluated)  # what the measuring is for


def test_a_stopped_run_goes_on_to_the_same_weights(
    tmp_path: Path, sources: list[WeightedSource]
) -> None:
    recipe = replace(RECIPE, pictures=16, batch=4)
    fabric = Fabric(accelerator="cpu", precision="32-true")
    whole, stopped, resumed = (Run(recipe, tmp_path, fabric, sources) for _ in range(3))
    for batch in whole.remaining_batches(sources, 0):
        whole.learn(batch)
        if stopped.step < 2:
            stopped.learn(batch)
    stopped.checkpoint([])
    resumed.resume()
    for batch in resumed.remaining_batches(sources, 0):
        resumed.learn(batch)
    assert resumed.step == whole.step == 4
    expected, found = (run.learners[0].plain.state_dict() for run in (whole, resumed))
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_short_fine_tuning_does_not_fall_below_its_start(
    tmp_path: Path, sources: list[WeightedSource], unseen: list[Batch]
) -> None:
    start, _ = network_of(Path("nano"))
    fabric = Fabric(accelerator="cpu", precision="32-true")
    run = Run(RECIPE, tmp_path, fabric, sources)
    for batch in run.remaining_batches(sources, 0):
        run.learn(batch)
    assert run.step == RECIPE.steps
    # 24 steps move the loss by a few per cent; without measured statistics it is a multiple.
    assert loss(run.learners[0].average.module, unseen) <= 1.1 * loss(start, unseen)
