"""BatchNorm that is folded into the layer before it, and how it is trained on from there.

An ONNX file and a network trained in int8 arithmetic hold folded BatchNorm: as a layer of its own
it is the identity and a bias. In evaluation that is exact. In training it would divide by the
batch's deviation, which nothing makes up for, and the first step would destroy the network; so it
is given the statistics of images first (`measure_statistics`).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from edge.train.networks.scene import kept_scenes

Inputs = tuple[Tensor, ...]
"""Arguments of a network: bg, fg_bg and spread, float [N, 3, H, W] in 0..1."""


def normalised_layers(network: nn.Module) -> Iterator[tuple[str, str]]:
    """Names of each convolution and the BatchNorm directly after it in a Sequential."""
    for name, parent in network.named_modules():
        if isinstance(parent, nn.Sequential):
            for index, (layer, norm) in enumerate(pairwise(parent)):
                if isinstance(norm, nn.BatchNorm2d) and isinstance(
                    layer, nn.Conv2d | nn.ConvTranspose2d
                ):
                    yield f"{name}.{index}", f"{name}.{index + 1}"


def fold_batchnorm(network: nn.Module) -> nn.Module:
    """Fold BatchNorm into the layers before it, in place; sets evaluation mode."""
    network.eval()
    for layer, norm in list(normalised_layers(network)):
        convolution, batch_norm = network.get_submodule(layer), network.get_submodule(norm)
        assert isinstance(batch_norm, nn.BatchNorm2d)
        fused = (
            _fold_transposed(convolution, batch_norm)
            if isinstance(convolution, nn.ConvTranspose2d)
            else fuse_conv_bn_eval(convolution, batch_norm)  # type: ignore[type-var]
        )
        network.set_submodule(layer, fused)
        network.set_submodule(norm, nn.Identity())
    return network


@torch.no_grad()
def _fold_transposed(layer: nn.ConvTranspose2d, norm: nn.BatchNorm2d) -> nn.ConvTranspose2d:
    """As torch's `fuse_conv_bn_eval`, which knows no groups: a weight is [inputs, outputs of a
    group, height, width]."""
    assert norm.running_mean is not None and norm.running_var is not None
    fused, scale = copy.deepcopy(layer), norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    grouped = layer.weight.reshape(layer.groups, -1, *layer.weight.shape[1:])
    weight = grouped * scale.reshape(layer.groups, 1, -1, 1, 1)
    bias = torch.zeros_like(scale) if layer.bias is None else layer.bias
    fused.weight = nn.Parameter(weight.reshape(layer.weight.shape))
    fused.bias = nn.Parameter((bias - norm.running_mean) * scale + norm.bias)
    return fused


def identity(name: str, norm: nn.Module, bias: Tensor) -> dict[str, Tensor]:
    """The state of a BatchNorm layer that only adds a bias.

    Args:
        name: Of the layer.
        norm: The layer.
        bias: float [channels].

    Returns:
        Its part of a state dict.
    """
    return {
        f"{name}.weight": torch.ones_like(bias),
        f"{name}.bias": bias,
        f"{name}.running_mean": torch.zeros_like(bias),
        f"{name}.running_var": torch.full_like(bias, 1 - float(norm.eps)),  # type: ignore[arg-type]
    }


def folded_norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    """The BatchNorm layers that hold no statistics, as `identity` leaves them.

    Those of a frozen scene depth are left out: training uses them as evaluation does.
    """
    frozen = {part for scene in kept_scenes(network) for part in scene.modules()}
    return [
        part
        for part in network.modules()
        if isinstance(part, nn.BatchNorm2d)
        and part not in frozen
        and part.running_mean is not None
        and part.running_var is not None
        and not part.running_mean.any()
        and bool((part.running_var == torch.full_like(part.running_var, 1 - part.eps)).all())
    ]


class _Moments:
    """Count, sum and sum of squares of each channel of a layer's inputs."""

    def __init__(self) -> None:
        self.count, self.total, self.squares = 0, torch.zeros(()), torch.zeros(())

    def add(self, x: Tensor) -> None:
        """Count float [N, C, H, W]."""
        wide = x.double()
        self.count += x.numel() // x.shape[1]
        self.total = self.total + wide.sum((0, 2, 3))
        self.squares = self.squares + (wide**2).sum((0, 2, 3))


@torch.no_grad()
def measure_statistics(network: nn.Module, pairs: Iterable[Inputs]) -> None:
    """Give folded BatchNorm layers the mean and variance of images; weight and bias make up for
    them, so the network computes what it did before.

    Args:
        network: Changed in place, and set to evaluation mode.
        pairs: Training images; at least one batch.
    """
    network.eval()
    moments = {norm: _Moments() for norm in folded_norms(network)}

    def record(norm: nn.Module, inputs: tuple[Any, ...]) -> None:
        moments[norm].add(inputs[0])  # type: ignore[index]

    hooks = [norm.register_forward_pre_hook(record) for norm in moments]
    for pair in pairs:
        network(*pair)
    for hook in hooks:
        hook.remove()
    for norm, seen in moments.items():
        assert norm.running_mean is not None and norm.running_var is not None
        mean = seen.total / seen.count
        variance = (seen.squares / seen.count - mean**2).clamp(min=0)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.bias.add_(norm.weight * mean)
        norm.weight.mul_((variance + norm.eps).sqrt())
