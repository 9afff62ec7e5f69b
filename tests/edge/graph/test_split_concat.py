"""Convolutions are distributed over concatenations of frame and background, exactly."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional as F

from edge.graph.fold import split
from edge.graph.split_concat import split_concat
from tests.edge.graph.test_fold import IMAGE_SHAPE, cast, folded, run, two_input


def exported(network: nn.Module) -> onnx.ModelProto:
    """Export a torch network of two float images [N, 3, H, W] with the contract's uint8 inputs."""

    class Contract(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, bg: torch.Tensor, fg_bg: torch.Tensor) -> torch.Tensor:
            pair = (x.float().permute(0, 3, 1, 2) / 255 for x in (bg, fg_bg))
            return self.network(*pair)

    blank = torch.zeros(IMAGE_SHAPE, dtype=torch.uint8)
    program = torch.onnx.export(
        Contract().eval(), (blank, blank.clone()), input_names=["bg", "fg_bg"],
        output_names=["mask"], opset_version=20, dynamo=True, verbose=False,
    )  # fmt: skip
    assert program is not None
    return program.model_proto


class Early(nn.Module):
    """Images that are concatenated before the first layer, as in most networks."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(6, 8, 3, 2, 1)
        self.second = nn.Conv2d(8, 1, 3, 1, 1)

    def forward(self, b: torch.Tensor, f: torch.Tensor) -> torch.Tensor:
        return self.second(F.relu(self.first(torch.cat([f, b], 1))))


class Skips(nn.Module):
    """Two encoders, concatenated and then normalised, activated and pooled."""

    def __init__(self) -> None:
        super().__init__()
        self.ours, self.theirs = nn.Conv2d(3, 8, 3, 1, 1), nn.Conv2d(3, 4, 3, 1, 1)
        self.norm = nn.BatchNorm2d(12)
        self.norm.running_mean.normal_()
        self.norm.running_var.uniform_(0.5, 2)
        self.up = nn.ConvTranspose2d(12, 2, 2, 2)

    def forward(self, b: torch.Tensor, f: torch.Tensor) -> torch.Tensor:
        joined = torch.cat([self.theirs(b), self.ours(f)], 1)
        return self.up(F.max_pool2d(F.relu(self.norm(joined)), 2))


class Grouped(nn.Module):
    """Grouped layers that keep the images separate until a last plain layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(6, 16, 3, 1, 1, groups=2), nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 2, 2, groups=2), nn.ReLU(), nn.AvgPool2d(2),
            nn.Conv2d(8, 16, 1, groups=2),
        )  # fmt: skip
        self.last = nn.Conv2d(16, 1, 3, 1, 1)

    def forward(self, b: torch.Tensor, f: torch.Tensor) -> torch.Tensor:
        return self.last(self.layers(torch.cat([b, f], 1)))


@pytest.mark.parametrize("network", [Early, Skips, Grouped])
def test_distributed_layers_give_the_same_values(
    network: type[nn.Module], rng: np.random.Generator
) -> None:
    torch.manual_seed(1)
    model = exported(network())
    rewritten, sums = split_concat(model)
    assert len(sums) == 1
    pair = rng.integers(0, 256, (2, *IMAGE_SHAPE), np.uint8)
    feeds = {"bg": pair[0], "fg_bg": pair[1]}
    expected = run(model, feeds)["mask"]
    assert run(rewritten, feeds)["mask"] == pytest.approx(expected, abs=1e-5)
    assert folded(model, feeds)["mask"] == pytest.approx(expected, abs=1e-5)
    parts = split(model)
    assert parts.unfolded == ()
    assert parts.report()["distributed"] == list(parts.distributed) == list(sums)
    assert parts.report()["background_macs"] > 0
    # Only the sum reads the scene.
    readers = [n.op_type for n in parts.frame.graph.node if set(parts.scene) & set(n.input)]
    assert readers == ["Add"]


def test_grouped_layers_leave_half_of_the_work_per_frame() -> None:
    parts = split(exported(Grouped())).report()
    assert parts["frame_macs"] == parts["background_macs"]


def test_a_sum_that_saves_little_is_not_made(rng: np.random.Generator) -> None:
    weight = numpy_helper.from_array(rng.normal(size=(4, 6, 1, 1)).astype(np.float32), "w")
    joined = helper.make_node("Concat", ["bg.t", "fg_bg.t"], ["joined"], "cat", axis=1)
    conv = helper.make_node("Conv", ["joined", "w"], ["mask"], "conv")
    model = two_input([*cast("bg"), *cast("fg_bg"), joined, conv], [weight])
    assert split_concat(model)[1] == ()


def test_a_group_over_both_images_is_not_distributed(rng: np.random.Generator) -> None:
    weight = numpy_helper.from_array(rng.normal(size=(4, 2, 3, 3)).astype(np.float32), "w")
    joined = helper.make_node("Concat", ["bg.t", "fg_bg.t"], ["joined"], "cat", axis=1)
    conv = helper.make_node("Conv", ["joined", "w"], ["mask"], "conv", group=3)
    model = two_input([*cast("bg"), *cast("fg_bg"), joined, conv], [weight])
    assert split_concat(model)[1] == ()


def refusing(kind: str) -> onnx.ModelProto:
    nodes = [*cast("bg"), *cast("fg_bg")]
    weights = [
        numpy_helper.from_array(np.ones(6, np.float32), "scale"),
        numpy_helper.from_array(np.ones((2, 3, 3, 3), np.float32), "w"),
    ]
    if kind == "normalisation":
        nodes += [
            helper.make_node("Concat", ["bg.t", "fg_bg.t"], ["joined"], "cat", axis=1),
            helper.make_node(
                "InstanceNormalization", ["joined", "scale", "scale"], ["mask"], "norm"
            ),
        ]
    else:
        nodes += [
            helper.make_node("Concat", ["bg.t", "fg_bg.t"], ["joined"], "stack", axis=0),
            helper.make_node("Conv", ["joined", "w"], ["mask"], "conv"),
        ]
    return two_input(nodes, weights)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("normalisation", "InstanceNormalization `norm` normalises over the concatenation"),
        ("batch", "`stack` stacks frame and background into one batch"),
    ],
)
def test_unfolded_operators_are_explained(kind: str, reason: str) -> None:
    parts = split(refusing(kind))
    assert len(parts.unfolded) == 1
    assert parts.unfolded[0].startswith(reason)


def test_types_are_kept() -> None:
    model = exported(Early())
    kinds = {w.data_type for w in split_concat(model)[0].graph.initializer}
    assert TensorProto.FLOAT in kinds
