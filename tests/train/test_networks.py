from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edge.errors import UsageError
from edge.train.networks import (
    NETWORKS,
    ONE_VARIANT,
    check_size,
    create,
    normalised,
    scene,
    variant_of,
)
from edge.train.networks.resunet import Block
from edge.train.networks.scene import share_scene
from edge.train.networks.variant import Variant
from edge.train.profile import macs

VARIANTS = [Variant(i, o) for i in ("both", "fg_bg") for o in ("both", "mask", "depth")]


COMBINED = [(name, variant) for name in NETWORKS for variant in VARIANTS if name not in ONE_VARIANT]


@pytest.mark.parametrize(("name", "variant"), [*COMBINED, *ONE_VARIANT.items()], ids=str)
def test_every_network_has_every_variant(name: str, variant: Variant) -> None:
    torch.manual_seed(0)  # some fresh weights leave a deep network nothing but zeros
    network = create(name, variant).train()
    size = network.only or (32, 48)
    bg, fg_bg = torch.rand(2, 2, 3, *size)
    logits, depth = network(bg, fg_bg)
    assert (logits is not None, depth is not None) == (variant.gives_mask, variant.gives_depth)
    outputs = [output for output in (logits, depth) if output is not None]
    assert all(output.shape == (2, 1, *size) for output in outputs)
    if depth is not None:
        assert 0 <= depth.min() <= depth.max() <= 1
    # Everything that it holds is there to be trained, and bg counts only where it is shown.
    torch.stack([output.sum() for output in outputs]).sum().backward()
    assert all(p.grad is not None for p in network.parameters())
    network.eval()
    with torch.no_grad():
        other = [o for o in network(torch.rand_like(bg), fg_bg) if o is not None]
        same = [o for o in network(bg, fg_bg) if o is not None]
    unmoved = all(torch.equal(a, b) for a, b in zip(same, other, strict=True))
    assert unmoved != variant.sees_bg


def test_a_network_of_one_variant_needs_not_be_asked_for_it() -> None:
    assert variant_of("resunet") == Variant()
    assert variant_of("small") == Variant("spread")
    assert variant_of("small", "both", "mask") == Variant("both", "mask")
    assert variant_of("scene") == variant_of("scene", "fg_bg") == Variant("fg_bg", "depth")
    with pytest.raises(ValueError, match="scene has inputs fg_bg and outputs depth only"):
        variant_of("scene", outputs="mask")
    with pytest.raises(ValueError, match="unknown network 'large'; known: nano, tiny"):
        variant_of("large")
    with pytest.raises(ValueError, match="resunet does not take the spread of a scene; nano, tiny"):
        variant_of("resunet", "spread")


def test_a_network_that_is_given_the_spread_computes_what_it_did() -> None:
    torch.manual_seed(0)
    network = create("nano").eval()
    bg, fg_bg, spread = torch.rand(3, 1, 3, 64, 64)
    with torch.no_grad():
        before = network(bg, fg_bg)
        network.add_spread()  # type: ignore[operator]
        network.eval()
        after = network(bg, fg_bg, spread)
        assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
        nn.init.normal_(network.life.quarter.weight)  # type: ignore[union-attr, arg-type]
        known, unknown = network(bg, fg_bg, spread), network(bg, fg_bg)
        assert not torch.equal(known[0], unknown[0])
        # Unknown is a spread of zeros.
        assert torch.equal(unknown[0], network(bg, fg_bg, torch.zeros_like(bg))[0])
    assert network.variant == Variant("spread")


def test_the_scene_is_as_deep_in_a_network_as_on_its_own() -> None:
    torch.manual_seed(0)
    alone, network = create("scene", ONE_VARIANT["scene"]).eval(), create("nano")
    network.take_scene(alone)  # type: ignore[operator]
    network.train()
    assert not any(p.requires_grad for p in network.scene_depth.parameters())  # type: ignore[union-attr]
    picture = torch.rand(1, 3, 192, 224)
    with torch.no_grad():
        _, depth = alone(torch.rand_like(picture), picture)
        found = network.eval().scene_depth(picture)  # type: ignore[operator]
        mirrored = alone(picture, picture.flip(3))[1].flip(3)
        small = alone(picture, F.interpolate(picture, (160, 160), mode="bilinear"))[1]
    assert torch.equal(depth, found)
    assert torch.allclose(depth, mirrored, atol=1e-5)  # test-time augmentation by flips
    assert depth.shape[2:] == (192, 224) and small.shape[2:] == (160, 160)


def test_networks_that_keep_the_same_scene_depth_run_it_once() -> None:
    torch.manual_seed(0)
    alone = create("scene", ONE_VARIANT["scene"])
    networks = [create(name) for name in ("nano", "small")]
    for network in networks:
        network.take_scene(alone)  # type: ignore[operator]
        network.train()
    bg, fg_bg = torch.rand(2, 2, 3, 64, 64)
    apart = [network.scene_depth(bg) for network in networks]  # type: ignore[operator]
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    share_scene(networks)
    networks[0].scene_depth.head.register_forward_hook(count)  # type: ignore[union-attr, operator]
    for image in (fg_bg, bg.clone()):
        depths = [network.scene_depth(image) for network in networks]  # type: ignore[operator]
        assert torch.equal(depths[0], depths[1])
    assert torch.equal(depths[0], apart[0]) and torch.equal(apart[0], apart[1])
    assert calls == 2


def parameters(name: str, variant: Variant) -> int:
    return sum(p.numel() for p in create(name, variant).parameters())


def test_our_networks_grow() -> None:
    sizes = [parameters(name, Variant()) for name in ("nano", "tiny", "small")]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize(
    ("name", "one", "two"),
    [
        ("grouped", 3_769_664, 3_769_696),
        ("transposed-seed", 284_672, 284_704),
        ("resunet", 1_765_421, 1_765_454),
    ],
)
def test_the_seeds_networks_have_the_seeds_parameters(name: str, one: int, two: int) -> None:
    assert parameters(name, Variant(outputs="mask")) == one
    assert parameters(name, Variant()) == two


@pytest.mark.parametrize(("outputs", "seen"), [("mask", 1_190_272), ("both", 1_190_304)])
def test_the_seeds_summary_counted_shared_blocks_at_each_call(outputs: str, seen: int) -> None:
    network = create("transposed-seed", Variant(outputs=outputs))
    counted = 0

    def count(layer: nn.Module, inputs: object, output: object) -> None:
        nonlocal counted
        counted += sum(p.numel() for p in layer.parameters(recurse=False))

    for module in network.modules():
        module.register_forward_hook(count)
    network(*torch.rand(2, 1, 3, 64, 64))
    assert counted == seen


def test_the_seeds_transposed_network_cannot_compare_its_images() -> None:
    """Its groups separate bg and frame to the end: the mask is a sum of a term of each."""
    a, b, c, d = torch.rand(4, 1, 3, 64, 64)

    def interaction(name: str) -> float:
        network = create(name).train()  # BatchNorm keeps the values in a range worth comparing
        with torch.no_grad():
            terms = [network(x, y)[0] for x, y in ((a, c), (b, d), (a, d), (b, c))]
        return float((terms[0] + terms[1] - terms[2] - terms[3]).abs().max())

    assert interaction("transposed-seed") < 1e-4
    assert interaction("transposed") > 1e-2


def test_half_the_memory_gives_the_same_numbers() -> None:
    """Recomputing changes neither outputs, gradients nor BatchNorm statistics."""
    torch.manual_seed(0)
    light = create("resunet").train()
    plain = copy.deepcopy(light)
    for block in plain.modules():
        if isinstance(block, Block):
            block.recompute = False
            for norm in block.modules():
                if isinstance(norm, nn.BatchNorm2d):
                    norm.momentum = 0.1
    pair = torch.rand(2, 2, 3, 64, 64)
    kept = {}
    for name, network in (("light", light), ("plain", plain)):
        seen: set[int] = set()
        kept[name] = 0

        def pack(x: torch.Tensor, name: str = name, seen: set[int] = seen) -> torch.Tensor:
            if x.data_ptr() not in seen:
                seen.add(x.data_ptr())
                kept[name] += x.numel() * x.element_size()
            return x

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            logits, depth = network(*pair)
        (logits.mean() + depth.mean()).backward()
    assert kept["light"] < 0.5 * kept["plain"]
    for a, b in zip(light.state_dict().values(), plain.state_dict().values(), strict=True):
        if a.is_floating_point():
            assert torch.allclose(a, b, atol=1e-5)
    for a, b in zip(light.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, atol=1e-5)


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="128x128: transposed-seed works at 64x64 only"):
        check_size(create("transposed-seed"), "transposed-seed", 128, 128)
    with pytest.raises(UsageError, match="must be multiples of 16, the stride of nano"):
        check_size(create("nano"), "nano", 100, 96)


@pytest.mark.parametrize("wrong", [{"inputs": "bg"}, {"outputs": "edges"}])
def test_unknown_variants_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected one of"):
        Variant(**wrong)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown network 'huge'; known: nano, tiny, small"):
        create("huge")


def test_equal_images_give_a_mask_of_the_scene_alone() -> None:
    """abs(f - b) of one shared encoder: of two equal images only the texture is left."""
    network = create("nano").eval()
    network.scene_depth = FlatScene()
    blank(network.texture)
    a, b = torch.rand(2, 1, 3, 64, 64)
    with torch.no_grad():
        nothing, also_nothing, something = (network(*p)[0] for p in ((a, a), (b, b), (a, b)))
    assert torch.equal(nothing, also_nothing)
    assert not torch.allclose(nothing, something)


def blank(texture: torch.nn.Module) -> None:
    """Make every scene look the same to the decoder."""
    for layer in (texture.quarter, texture.eighth[-1]):
        torch.nn.init.zeros_(layer.weight)


def test_the_texture_of_the_scene_reaches_the_mask_and_adds_no_macs_per_frame() -> None:
    network = create("nano").eval()
    pair = torch.rand(2, 1, 3, 64, 64)
    with torch.no_grad():
        before = network(*pair)[0]
        blank(network.texture)
        assert not torch.allclose(network(*pair)[0], before)
    with_bg, without = (create("nano", Variant(inputs, "mask")) for inputs in ("both", "fg_bg"))
    assert macs(with_bg, 64) == macs(without, 64)


class FlatScene(torch.nn.Module):
    def forward(self, bg: torch.Tensor) -> torch.Tensor:
        return torch.full_like(bg[:, :1], 0.5)


@pytest.mark.parametrize("size", [(64, 64), (112, 192), (224, 224)])
def test_scene_depth_is_the_mean_of_four_passes_at_every_size(size: tuple[int, int]) -> None:
    depth = create("nano").scene_depth.eval()
    bg = torch.rand(2, 3, *size)
    with torch.no_grad():
        mean = depth(bg)
        assert torch.allclose(mean, depth(bg.flip(3)).flip(3), atol=1e-6)
        passes = []
        for sides in ((192, 192), (160, 160)):
            image = F.interpolate(bg, sides, mode="bilinear")
            pair = [depth.single_pass(image), depth.single_pass(image.flip(3)).flip(3)]
            passes += [F.interpolate(found, size, mode="bilinear") for found in pair]
        assert torch.allclose(mean, torch.stack(passes).mean(0), atol=1e-6)
        assert not torch.allclose(passes[0], passes[1], atol=1e-5)


def test_the_table_of_passes_is_all_that_decides_them(monkeypatch: pytest.MonkeyPatch) -> None:
    depth = create("nano").scene_depth.eval()
    bg = torch.rand(2, 3, 64, 64)
    monkeypatch.setattr(scene, "TEST_TIME_PASSES", (scene.ScenePass(None, flip=False),))
    with torch.no_grad():
        assert torch.equal(depth(bg), depth.single_pass(bg))


def test_training_makes_a_single_pass() -> None:
    depth = create("nano").scene_depth.train()
    bg = torch.rand(2, 3, 192, 224)
    with torch.no_grad():
        assert torch.equal(depth(bg), depth.single_pass(bg))
        assert depth(bg[..., :176]).shape == (2, 1, 192, 176)  # no multiple of 32
        depth.keep()
        small = F.interpolate(bg, (160, 160), mode="bilinear")
        resized = F.interpolate(depth.single_pass(small), (192, 224), mode="bilinear")
        assert torch.equal(depth(bg), resized)


def test_a_depthwise_layer_computes_in_float32_what_autocast_gives_in_bfloat16() -> None:
    layer = scene.Depthwise(8, 3, 1)
    x = torch.rand(1, 8, 6, 6).bfloat16()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = layer(x)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, F.conv2d(x.float(), layer.weight, padding=1, groups=8).bfloat16())


def test_a_scene_depth_that_was_taken_over_is_frozen() -> None:
    other, network = create("small").eval(), create("nano").train()
    network.take_scene(other)
    before = copy.deepcopy(network.scene_depth.state_dict())
    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, 0.1)
    pair = torch.rand(2, 2, 3, 64, 64)
    for _ in range(2):
        _, depth = network.train()(*pair)
        depth.sum().backward()
        optimizer.step()
    after = network.scene_depth.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert network.depth.weight.grad.abs().sum() > 0
    with torch.no_grad():
        assert torch.equal(network.eval().scene_depth(pair[0]), other.scene_depth(pair[0]))


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


def test_an_object_is_never_behind_what_it_covers() -> None:
    """In evaluation; in training an object predicted too far away must get a gradient."""
    torch.manual_seed(0)
    network = create("nano").eval()
    with torch.no_grad():
        network.depth.bias.fill_(-9)  # all foreground is at the horizon
        network.mask.bias.fill_(9)  # and everything is foreground
        pair = torch.rand(2, 1, 3, 64, 64)
        _, depth = network(*pair)
        assert torch.equal(depth, network.scene_depth(pair[0]))
        network.depth.bias.fill_(9)
        assert network(*pair)[1].min() > 0.9
        network.depth.bias.fill_(-9)
    _, depth = network.train()(*pair)
    assert depth.max() < 0.1
    depth.sum().backward()
    assert network.depth.bias.grad.abs().sum() > 0
