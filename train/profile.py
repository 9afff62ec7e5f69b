"""What a network costs per frame: multiplications, or milliseconds of its build on this machine.

Work that depends on the empty scene alone is done once per scene and costs nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edge.samples.sample import Sample
from edge.targets.table import Target
from edge.train.build_timer import timed
from edge.train.export import to_onnx


def macs(network: nn.Module, side: int = 224, scene: bool = False) -> int:
    """Multiplications of the layers with weights that a frame reaches, at `side` x `side`.

    scene: count the work that depends on the empty scene alone as well.
    A frame that asks for gradients marks every tensor that depends on it, so no graph has to be
    exported to know them.
    """
    counted = 0
    hooks = []

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal counted
        if not (scene or inputs[0].requires_grad):
            return
        weight = layer.weight
        assert isinstance(weight, Tensor)
        places = inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output
        # Each weight of a filter is used once per place, of a mirror image too.
        counted += weight.numel() * places.shape[0] * places.shape[2] * places.shape[3]

    wanted = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
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
        for parameter, had in wanted:
            parameter.requires_grad_(had)
        network.train(training)
    return counted


def training_memory(network: nn.Module, batch: int, side: int) -> int:
    """Bytes that a step of training holds at its peak, about, at `side` x `side` in float32.

    Weights, their gradients and AdamW's two moments, and what the forward pass keeps for the
    backward pass; not the workspace of single kernels. Followed on torch's meta device: nothing is
    computed. It leaves the network there.
    """
    network.to("meta").train()
    held: dict[int, int] = {}

    def keep(x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        held[storage._cdata] = storage.nbytes()
        kept.append(x)  # a storage that is freed gives its name to the next
        return x

    kept: list[Tensor] = []
    pair = torch.zeros(2, batch, 3, side, side, device="meta")
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        network(*pair)
    weights = {
        p.untyped_storage()._cdata: p.untyped_storage().nbytes() for p in network.parameters()
    }
    activations = sum(size for name, size in held.items() if name not in weights)
    return activations + 4 * sum(weights.values())


class Stopwatch:
    """Measures networks as int8 builds for a target that runs here, through the runtime's calls.

    samples: at the size of the builds; they give the ranges and are the frames.
    """

    def __init__(self, target: Target, samples: Sequence[Sample], threads: int) -> None:
        self.target, self.samples, self.threads = target, samples, threads

    def milliseconds(self, networks: Sequence[nn.Module]) -> list[float]:
        """Median time of a frame for each (edge.train.build_timer)."""
        size = self.samples[0].mask.shape
        models = [to_onnx(network, "pruned", *size).SerializeToString() for network in networks]
        return timed(models, self.target.name, self.samples, self.threads)
