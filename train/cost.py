"""What a network costs per frame: multiplications, or milliseconds of its build on this machine.

Work that depends on the empty scene alone is done once per scene and costs nothing here.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

import edge
from calibrate.apply import calibrated
from edge.build import planned, write
from edge.samples.sample import Sample
from edge.targets import Target
from train.export import to_onnx

ROUNDS, RUNS = 30, 5


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
        # Each weight of a filter is used once per place.
        counted += weight.numel() * places.shape[2] * places.shape[3]

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
        """Median time of a frame for each; they take turns, so only their ratios are exact."""
        times: list[list[float]] = [[] for _ in networks]
        with tempfile.TemporaryDirectory(prefix="edge-prune-") as folder:
            handles = []
            try:
                for number, network in enumerate(networks):
                    place = Path(folder) / str(number)
                    self._build(network, place)
                    handles.append(edge.open(place, self.threads))
                    edge.set_background(handles[-1], self.samples[0].bg)
                for _ in range(ROUNDS):
                    for h, taken in zip(handles, times, strict=True):
                        for sample in self.samples[:RUNS]:
                            start = time.perf_counter()
                            edge.infer(h, sample.fg_bg)
                            taken.append(1e3 * (time.perf_counter() - start))
            finally:
                for h in handles:
                    edge.close(h)
        return [median(taken) for taken in times]

    def _build(self, network: nn.Module, place: Path) -> None:
        size = self.samples[0].mask.shape
        model = to_onnx(network, "pruned", *size)
        plan = planned(model, "pruned", self.target, "int8", "edge prune")
        write(calibrated(plan, self.samples, self.threads), place, time.monotonic())
