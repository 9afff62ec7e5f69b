from __future__ import annotations

import pytest
import torch

from train.networks import NETWORKS, create, normalised


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_keeps_the_picture_size(name: str) -> None:
    network = create(name).eval()
    pair = torch.rand(2, 1, 3, 96, 160)
    with torch.no_grad():
        logits, depth = network(*pair)
    assert logits.shape == depth.shape == (1, 1, 96, 160)
    assert 0 <= depth.min() <= depth.max() <= 1


def test_networks_grow() -> None:
    sizes = [sum(p.numel() for p in create(name).parameters()) for name in NETWORKS]
    assert sizes == sorted(sizes)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown network 'huge'; known: nano, tiny, small"):
        create("huge")


def test_what_is_equal_in_both_pictures_cannot_show_in_the_mask() -> None:
    """abs(f - b) of one shared encoder: of two equal pictures only the scene's depth is left."""
    network = create("nano").eval()
    network.scene_depth = FlatScene()
    a, b = torch.rand(2, 1, 3, 64, 64)
    with torch.no_grad():
        nothing, also_nothing, something = (network(*p)[0] for p in ((a, a), (b, b), (a, b)))
    assert torch.equal(nothing, also_nothing)
    assert not torch.allclose(nothing, something)


class FlatScene(torch.nn.Module):
    def forward(self, bg: torch.Tensor) -> torch.Tensor:
        return torch.full_like(bg[:, :1], 0.5)


def test_the_depth_loss_does_not_move_the_mask() -> None:
    network = create("nano")
    _, depth = network(*torch.rand(2, 1, 3, 64, 64))
    depth.sum().backward()
    assert network.mask.weight.grad is None
    assert network.depth.weight.grad is not None
    assert network.depth.weight.grad.abs().sum() > 0


def test_normalised() -> None:
    pictures = torch.randint(0, 256, (2, 4, 6, 3), dtype=torch.uint8)
    found = normalised(pictures)
    assert found.shape == (2, 3, 4, 6)
    assert torch.equal(found[1, 2], pictures[1, :, :, 2] / 255)
