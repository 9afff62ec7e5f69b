"""Pruning: which channels are removed, and which must stay."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edge.bundled import bundled
from edge.calibrate.rendering.samples import Rendered
from edge.errors import EdgeError
from edge.manifest import sha256
from edge.train.augment.photometric import augment_sample
from edge.train.checkpoint import load, network_of, save
from edge.train.data.crops import Crops
from edge.train.data.mix import Batch, collate
from edge.train.networks import ONE_VARIANT, create, with_weights
from edge.train.networks.scene import kept_scenes
from edge.train.networks.variant import Variant
from edge.train.profile import macs
from edge.train.prune import (
    ChannelGroup,
    Goal,
    channel_groups,
    measure_macs,
    prune,
    remove_channels,
    without,
)

from ..command import edge
from .batchnorm import shuffled


@pytest.fixture(scope="module")
def batch() -> Batch:
    crops = Crops(Rendered(2, (240, 320), 3), [0, 1], 176, None)
    return collate([augment_sample(*crops.draw(np.random.default_rng(i))) for i in range(2)])


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(4)
    return shuffled(create("small"))


def checkpoint(
    network: nn.Module, path: Path, variant: Variant | None = None, name: str = "small"
) -> Path:
    state = {"network": name, "weights": network.state_dict(), "recipe": {}, "scores": {}}
    save(state if variant is None else state | {"variant": asdict(variant)}, path)
    return path


def test_the_depth_of_the_scene_is_no_candidate(network: nn.Module, batch: Batch) -> None:
    """It runs once per scene, and its depthwise layers would be no reason to refuse the network."""
    layers = [group.layer for group in channel_groups(network, [batch])]
    assert layers and not any(layer.startswith("scene_depth") for layer in layers)


def test_channels_that_do_nothing_can_go_without_a_trace(network: nn.Module) -> None:
    """A skip's channels live in two encoders' passes, an upsampling, a detail path and what reads
    them: if any of these were cut in the wrong place, the outputs would differ."""
    dead = list(range(5, 21))
    for conv, norm in (
        (network.encoder.levels[1][0], network.encoder.levels[1][1]),
        (network.up_quarter[0], network.up_quarter[1]),
        (network.detail[0], network.detail[1]),
    ):
        norm.weight.data[dead] = 0
        norm.bias.data[dead] = 0
        norm.running_mean[dead] = 0
        assert norm.num_features == (conv.out_channels)
    network.texture.quarter.weight.data[dead] = 0
    network.texture.quarter.bias.data[dead] = 0
    pruned = without(network, "encoder.levels.1.0", dead)
    pair = torch.rand(2, 1, 3, 64, 96)
    with torch.no_grad():
        for before, after in zip(network(*pair), pruned(*pair), strict=True):
            assert torch.allclose(before, after, atol=1e-5)
    assert pruned.up_quarter[0].out_channels == 32
    assert network.up_quarter[0].out_channels == 48
    assert macs(pruned) < macs(network)


def test_importance_finds_the_channels_that_do_nothing(network: nn.Module, batch: Batch) -> None:
    dead = [3, 40, 70]
    network.refine_eighth[1].weight.data[dead] = 0
    network.refine_eighth[1].bias.data[dead] = 0
    network.up_quarter[0].weight.data[dead] = 0
    found = {group.layer: group for group in channel_groups(network, [batch])}
    scores = found["refine_eighth.0"].scores
    alive = torch.ones(96, dtype=torch.bool)
    alive[dead] = False
    assert not scores[dead].any()
    assert scores[alive].median() > 0
    assert not {"mask", "depth", "scene_depth.head"} & set(found)


def flat(layer: str, channels: int, worth: float) -> ChannelGroup:
    return ChannelGroup(layer, worth * (1 + torch.arange(channels) / 1000))


def test_the_least_importance_per_saving_goes_first(network: nn.Module) -> None:
    cheap, dear = flat("refine_eighth.0", 96, 1.0), flat("bottom.0.0", 128, 1.0)
    goal = 0.97 * measure_macs([network])[0]
    result = remove_channels(network, [cheap, dear], measure_macs, goal, 16)
    saved = {
        group.layer: macs(network) - macs(without(network, group.layer, list(range(16))))
        for group in (cheap, dear)
    }
    first = max(saved, key=lambda name: saved[name])
    assert result.get_submodule(first).out_channels < network.get_submodule(first).out_channels
    # The same savings, but now those channels matter a thousand times more.
    precious = [
        flat(g.layer, len(g.scores), 1000.0 if g.layer == first else 1) for g in (cheap, dear)
    ]
    result = remove_channels(network, precious, measure_macs, goal, 16)
    assert result.get_submodule(first).out_channels == network.get_submodule(first).out_channels


@pytest.mark.parametrize(
    ("name", "block", "share"),
    [("small", 16, 0.5), ("nano", 16, 0.8), ("nano", 32, 0.7)],
)
def test_the_share_of_macs_is_met(name: str, block: int, share: float, batch: Batch) -> None:
    """Where whole blocks are too coarse, as for nano, smaller ones do the rest."""
    torch.manual_seed(4)
    made = create(name).eval()
    (whole,) = measure_macs([made])
    groups = channel_groups(made, [batch])
    result = remove_channels(made, groups, measure_macs, share * whole, block)
    assert 0.97 * share <= measure_macs([result])[0] / whole <= share


def test_blocks_stay_whole_and_the_goal_is_met(network: nn.Module, batch: Batch) -> None:
    """As for a time: a kernel takes as long for half a block."""
    whole = measure_macs([network])[0]
    groups = channel_groups(network, [batch])
    result = remove_channels(network, groups, measure_macs, 0.5 * whole, 16, finest=16)
    assert measure_macs([result])[0] <= 0.5 * whole
    for name, layer in result.named_modules():
        if isinstance(layer, nn.Conv2d) and not name.startswith(("geometry", "scene", "depth")):
            assert layer.out_channels % 16 == 0
    # What runs once per scene costs nothing and is left alone.
    before, after = (
        {n: p.shape for n, p in net.scene_depth.state_dict().items()} for net in (network, result)
    )
    assert before == after


def test_a_depth_of_the_scene_that_was_taken_over_is_left_alone(batch: Batch) -> None:
    torch.manual_seed(0)
    network = create("nano")
    network.take_scene(create("scene", ONE_VARIANT["scene"]))  # type: ignore[operator]
    (cost,) = measure_macs([network])
    smaller = remove_channels(
        network, channel_groups(network, [batch]), measure_macs, 0.7 * cost, 8
    )
    assert 0.97 * 0.7 * cost <= measure_macs([smaller])[0] <= 0.7 * cost
    assert kept_scenes(smaller)
    before, after = (n.scene_depth.state_dict() for n in (network, smaller))  # type: ignore[union-attr, operator]
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_measured_time_can_steer_as_well(network: nn.Module) -> None:
    """On a machine where the layer that saves most measure_macs saves no time, another one goes."""
    pair = [flat("refine_eighth.0", 96, 1.0), flat("bottom.0.0", 128, 1.0)]

    def milliseconds(networks: Sequence[nn.Module]) -> list[float]:
        return [float(net.bottom[0][0].out_channels) for net in networks]

    result = remove_channels(network, pair, milliseconds, 100, 16, finest=16)
    assert result.bottom[0][0].out_channels == 96
    assert result.refine_eighth[0].out_channels == 96


def test_a_pruned_checkpoint_needs_no_other_description(network: nn.Module, tmp_path: Path) -> None:
    pruned = without(network, "bottom.0.0", list(range(40)))
    read, _ = network_of(checkpoint(pruned, tmp_path / "best.pt"))
    pair = torch.rand(2, 1, 3, 64, 64)
    with torch.no_grad():
        for a, b in zip(pruned(*pair), read(*pair), strict=True):
            assert torch.equal(a, b)
    assert read.bottom[0][0].out_channels == 88


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="these are not weights of nano"):
        with_weights("nano", {"other.weight": torch.zeros(3)})
    path = tmp_path / "best.pt"
    save({"network": "nano", "weights": {"other.weight": torch.zeros(3)}}, path)
    with pytest.raises(EdgeError, match="these are not weights of nano"):
        network_of(path)


def test_a_killed_run_goes_on_with_the_step_it_was_in(
    network: nn.Module, batch: Batch, tmp_path: Path
) -> None:
    path = checkpoint(network, tmp_path / "best.pt")
    goal = Goal(measure_macs, "MACs", 16, share=0.6)
    trained: list[str] = []

    def train(start: Path, folder: Path) -> Path:
        trained.append(folder.name)
        if len(trained) == 2:
            raise KeyboardInterrupt
        best = folder / "best.pt"
        best.write_bytes(start.read_bytes())
        return best

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        prune(path, out, goal, 2, lambda: [batch], train)
    kept = load(out / "step-2" / "start.pt")["weights"]
    best = prune(path, out, goal, 2, lambda: [batch], train)
    assert trained == ["step-1", "step-2", "step-1", "step-2"]
    found = load(best)["weights"]
    assert all(torch.equal(kept[name], found[name]) for name in kept)
    (whole,), (thin,) = measure_macs([network]), measure_macs([network_of(best)[0]])
    assert 0.97 * 0.6 <= thin / whole <= 0.6
    result = json.loads((out / "pruned.json").read_text())
    assert (result["unit"], result["original"], result["reached"]) == ("MACs", whole, thin)
    assert result["share"] == pytest.approx(thin / whole, abs=1e-4) and result["reason"] == ""


@pytest.mark.parametrize(
    ("goal", "reason"),
    [
        (Goal(measure_macs, "MACs", 16, finest=16, share=0.01), "no further block of 16 channels"),
        (Goal(measure_macs, "MACs", 64, finest=64, share=0.99), "64 channels are too coarse"),
    ],
)
def test_a_goal_that_is_missed_is_said(
    goal: Goal, reason: str, network: nn.Module, batch: Batch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = checkpoint(network, tmp_path / "best.pt")
    prune(path, tmp_path / "out", goal, 1, lambda: [batch], untrained)
    assert reason in json.loads((tmp_path / "out" / "pruned.json").read_text())["reason"]
    assert reason in capsys.readouterr().err


def untrained(start: Path, folder: Path) -> Path:
    """In the place of training: the weights as they are."""
    (folder / "best.pt").write_bytes(start.read_bytes())
    return folder / "best.pt"


def test_a_checkpoint_that_was_trained_again_is_another(
    network: nn.Module, batch: Batch, tmp_path: Path
) -> None:
    path = checkpoint(network, tmp_path / "best.pt")

    goal = Goal(measure_macs, "MACs", 16, share=0.8)
    prune(path, tmp_path / "out", goal, 1, lambda: [batch], untrained)
    with torch.no_grad():
        next(network.parameters()).add_(1)
    checkpoint(network, path)
    with pytest.raises(EdgeError, match=r"best\.pt, sha256 .*best\.pt, sha256 .*or another --out"):
        prune(path, tmp_path / "out", goal, 1, lambda: [batch], untrained)


def test_a_step_of_an_earlier_version_is_refused(
    network: nn.Module, batch: Batch, tmp_path: Path
) -> None:
    path = checkpoint(network, tmp_path / "best.pt")
    goal = Goal(measure_macs, "MACs", 16, share=0.8)
    prune(path, tmp_path / "out", goal, 1, lambda: [batch], untrained)
    start = tmp_path / "out" / "step-1" / "start.pt"
    state = load(start)
    state["claim"] = state.pop("key")
    save(state, start)
    with pytest.raises(EdgeError, match=r"start\.pt was made by an earlier .*another --out"):
        prune(path, tmp_path / "out", goal, 1, lambda: [batch], untrained)


def test_a_folder_of_another_goal_is_not_resumed(
    network: nn.Module, batch: Batch, tmp_path: Path
) -> None:
    path = checkpoint(network, tmp_path / "best.pt")

    goal = Goal(measure_macs, "MACs", 16, share=0.8)
    prune(path, tmp_path / "out", goal, 1, lambda: [batch], untrained)
    other = Goal(measure_macs, "MACs", 16, share=0.6)
    with pytest.raises(EdgeError, match=r"0\.8 of MACs.*0\.6 of MACs.*or another --out"):
        prune(path, tmp_path / "out", other, 1, lambda: [batch], untrained)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resunet", "transposed"])
def test_other_networks_are_pruned_too(name: str) -> None:
    """Concatenated skips, and blocks that are called several times."""
    made = create(name).eval()
    crops = Crops(Rendered(1, (240, 320), 3), [0], 64, None)
    found = channel_groups(made, [collate([augment_sample(*crops.draw(np.random.default_rng(0)))])])
    result = remove_channels(made, found, measure_macs, 0.7 * measure_macs([made])[0], 16)
    assert measure_macs([result])[0] < 0.8 * measure_macs([made])[0]
    read = with_weights(name, result.state_dict()).eval()
    pair = torch.rand(2, 1, 3, 64, 64)
    with torch.no_grad():
        for a, b in zip(result.eval()(*pair), read(*pair), strict=True):
            assert torch.equal(a, b)


def test_layers_in_groups_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    weights = create("transposed-seed").state_dict()
    save({"network": "transposed-seed", "weights": weights, "recipe": {}, "scores": {}}, path)
    with pytest.raises(EdgeError, match="which has grouped convolutions"):
        prune(path, tmp_path, Goal(measure_macs, "MACs", 16, share=0.5), 1, list, lambda a, b: a)


def test_a_goal_that_is_met_already_is_refused(network: nn.Module, tmp_path: Path) -> None:
    path = checkpoint(network, tmp_path / "best.pt")
    with pytest.raises(EdgeError, match="nothing to prune"):
        prune(path, tmp_path, Goal(measure_macs, "MACs", 16, limit=1e12), 1, list, lambda a, b: a)


def test_the_network_given_is_not_touched(network: nn.Module, batch: Batch) -> None:
    before = copy.deepcopy(network.state_dict())
    remove_channels(
        network,
        channel_groups(network, [batch]),
        measure_macs,
        0.5 * measure_macs([network])[0],
        16,
    )
    after = network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.slow
def test_from_a_checkpoint_to_a_smaller_build(network: nn.Module, tmp_path: Path) -> None:
    path = checkpoint(network, tmp_path / "best.pt")
    options = ["--data=rendered:8", "--validate=rendered:2:7", "--pictures=8", "--batch=4"]
    options += ["--imgsz=64", "--workers=0", f"--out={tmp_path / 'p'}"]
    done = edge("prune", path, "--target-macs=0.6", "--steps=1", *options)
    assert done.returncode == 0, done.stderr
    best = done.stdout.strip()
    plain, pruned = (
        json.loads(
            edge(
                "build", source, "--target=onnxruntime", "--samples=rendered:4", "--json",
                "--calib-samples=4", "--imgsz=64", f"--out={tmp_path / name}",
            ).stdout
        )
        for source, name in ((str(path), "plain"), (best, "thin"))
    )  # fmt: skip
    assert pruned["size_mb"] < 0.8 * plain["size_mb"]
    assert pruned["layers"] == plain["layers"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "give one of --target-macs"),
        (["--target-macs=0.5", "--target-fps=100"], "give one of --target-macs"),
        (["--target-macs=50"], "expected a share between 0 and 1"),
        (["--target-fps=0"], "expected more than 0"),
        (["--target-fps=9", "--target=tensorrt"], "where tensorrt does not run"),
        (["--target-macs=0.5", "--threads=2"], "--threads has no effect without --target-fps"),
        (["--target-macs=0.5", "--build-imgsz=64"], "--build-imgsz has no effect without"),
        (["--target-macs=0.5", "--samples=rendered:4"], "--samples has no effect without"),
        (["--target-macs=0.5", "--importance=luck"], "--importance luck: known are taylor"),
    ],
)
def test_wrong_goals_are_refused(options: list[str], says: str) -> None:
    done = edge("prune", "best.pt", *options)
    assert done.returncode == 2
    assert says in done.stderr


@pytest.mark.slow
def test_frames_a_second_are_measured_beside_training(tmp_path: Path) -> None:
    """With workers that are forked after the measuring; out of reach, so everything that can go
    goes and the rest is said. Of a network without depth, which is exported sooner."""
    variant = Variant("both", "mask")
    path = checkpoint(shuffled(create("nano", variant)), tmp_path / "best.pt", variant, "nano")
    options = ["--data=rendered:8", "--validate=rendered:2:7", "--pictures=8", "--batch=4"]
    words = ["prune", path, "--target-fps=1e7", "--steps=1", "--build-imgsz=64", *options]
    words += ["--imgsz=64", "--workers=1", f"--out={tmp_path / 'p'}"]
    done = subprocess.run(
        [sys.executable, "-m", "edge", *map(str, words)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "no further block of 16 channels can be removed" in done.stderr
    pruned, _ = network_of(Path(done.stdout.strip()))
    assert pruned.encoder.levels[1][0].out_channels == 16


def test_a_step_belongs_to_the_bundled_file_that_a_name_means() -> None:
    goal = Goal(measure_macs, "MACs", 16, share=0.5)
    assert goal.key(Path("nano"), 1, "taylor")[0] == f"nano, sha256 {sha256(bundled('nano'))[:12]}"
