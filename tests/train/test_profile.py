"""MACs and memory of a network, against the exported graph's own count."""

from __future__ import annotations

import pytest
import torch

from edge.graph import profile
from edge.graph.fold import split
from edge.samples.sample import Sample
from edge.targets import targets
from edge.train.export import to_onnx
from edge.train.networks import create
from edge.train.networks.variant import Variant
from edge.train.profile import BuildTimer, macs, training_memory


@pytest.mark.slow
@pytest.mark.parametrize(("name", "side"), [("nano", 64), ("small", 224)])
def test_macs_are_those_of_the_exported_graph(name: str, side: int) -> None:
    """The scene's depth makes two sizes and their mirror images at every size."""
    network = create(name).eval()
    exported = to_onnx(network, name, side, side)
    assert macs(network, side) == profile.macs(split(exported).frame)
    assert macs(network, side, scene=True) == profile.macs(exported)


def test_counting_leaves_the_network_as_it_was() -> None:
    network = create("nano").train()
    network.mask.weight.requires_grad_(False)
    macs(network, 64)
    assert network.training
    assert not network.mask.weight.requires_grad
    assert network.depth.weight.requires_grad
    assert not any(module._forward_hooks for module in network.modules())


def test_four_times_the_pixels_are_four_times_the_work() -> None:
    network = create("nano")
    assert macs(network, 128) == 4 * macs(network, 64)


@pytest.mark.slow
def test_a_larger_network_takes_longer(samples: list[Sample]) -> None:
    """A ratio of interleaved medians; one has fifty times the MACs of the other."""
    torch.manual_seed(0)
    from edge.train.networks.unet import UNet

    masks = Variant(outputs="mask")  # which have no depth of the scene to export
    slim, wide = UNet((16, 16, 16, 16), masks).eval(), UNet((64, 128, 256, 256), masks).eval()
    quick, slow = BuildTimer(targets()["onnxruntime"], samples, 1).milliseconds([slim, wide])
    assert slow > 2 * quick


def test_training_memory_is_what_the_backward_pass_keeps() -> None:
    """Followed on the meta device, against the tensors that a real step keeps."""
    network = create("nano").train()
    kept: dict[int, int] = {}
    alive = []

    def pack(x: torch.Tensor) -> torch.Tensor:
        alive.append(x)
        kept[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        network(*torch.rand(2, 2, 3, 64, 64))
    weights = {p.untyped_storage().data_ptr() for p in network.parameters()}
    held = sum(size for place, size in kept.items() if place not in weights)
    held += 16 * sum(p.numel() for p in network.parameters())
    assert training_memory(create("nano"), 2, 64) == pytest.approx(held, rel=0.05)
