"""Profile of a network: MACs per frame, memory of training, and milliseconds of its int8 build.

Work that depends on the background alone runs once per scene and is not counted per frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edge.samples.sample import Sample
from edge.targets import Target
from edge.train.build_timer import time_builds
from edge.train.export import to_onnx


def macs(network: nn.Module, side: int = 224, scene: bool = False) -> int:
    """MACs of the layers with weights that depend on the frame.

    The frame requires a gradient, which marks every tensor that depends on it, so no graph has to
    be exported.

    Args:
        network: Left unchanged.
        side: Height and width of the images in pixels.
        scene: Count the layers that depend on the background alone as well.
    """
    total = 0
    hooks = []

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if not (scene or inputs[0].requires_grad):
            return
        weight = layer.weight
        assert isinstance(weight, Tensor)
        positions = inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output
        # Each weight of a filter is used once per position, in a mirrored image of the batch too.
        total += weight.numel() * positions.shape[0] * positions.shape[2] * positions.shape[3]

    required = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    training = network.training
    network.eval().requires_grad_(False)
    try:
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                hooks.append(layer.register_forward_hook(count))
        device = next(network.parameters()).device
        bg, fg_bg = torch.zeros(2, 1, 3, side, side, device=device)
        network(bg, fg_bg.requires_grad_(True))
    finally:
        for hook in hooks:
            hook.remove()
        for parameter, requires_grad in required:
            parameter.requires_grad_(requires_grad)
        network.train(training)
    return total


def training_memory(network: nn.Module, batch: int, side: int) -> int:
    """Approximate peak memory of a training step in float32, in bytes.

    It counts weights, their gradients and AdamW's two moments, and the activations that the forward
    pass keeps for the backward pass; not the workspace of single kernels. Shapes are followed on
    torch's meta device, nothing is computed.

    Args:
        network: Moved to the meta device.
        batch: Images per step.
        side: Height and width of the images in pixels.
    """
    network.to("meta").train()
    sizes: dict[int, int] = {}
    alive: list[Tensor] = []

    def pack(x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        sizes[storage._cdata] = storage.nbytes()
        alive.append(x)  # a freed storage would give its address to the next one
        return x

    pair = torch.zeros(2, batch, 3, side, side, device="meta")
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        network(*pair)
    weights = {
        p.untyped_storage()._cdata: p.untyped_storage().nbytes() for p in network.parameters()
    }
    activations = sum(size for address, size in sizes.items() if address not in weights)
    return activations + 4 * sum(weights.values())


class BuildTimer:
    """Times networks as int8 builds for a target that runs here.

    Args:
        target: What is built for.
        samples: At the size of the builds; they give the activation ranges and are the frames.
        threads: Threads of each build.
    """

    def __init__(self, target: Target, samples: Sequence[Sample], threads: int) -> None:
        self.target, self.samples, self.threads = target, samples, threads

    def milliseconds(self, networks: Sequence[nn.Module]) -> list[float]:
        """Median milliseconds per frame of each network."""
        size = self.samples[0].mask.shape
        models = [to_onnx(network, "pruned", *size).SerializeToString() for network in networks]
        return time_builds(models, self.target.name, self.samples, self.threads)
