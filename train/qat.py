"""Quantization-aware training: the network computes as its int8 build will, and learns around it.

BatchNorm is folded into the layers, and the values that `calibrate.qdq` puts Q/DQ pairs around are
rounded to the same 8-bit scale in the forward pass; gradients pass through the rounding (Jacob et
al. 2018). The placement follows the target's scheme, so what was trained is what is built: a test
compares the two number by number. The weights that a run saves are those of the plain network.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from edge.calibrate.methods import Range
from edge.calibrate.qdq import Scheme, parameters
from edge.train.data.mix import Batch
from edge.train.networks import normalised
from edge.train.networks.scene import SceneDepth
from edge.train.networks.variant import Outputs

SUMS = {operator.add, torch.add}
RELU = {F.relu, torch.relu}


def rounded(x: Tensor, scale: Tensor, zero: Tensor, low: int, high: int) -> Tensor:
    """x on the 8-bit scale; inside the scale's reach the gradient is that of x itself."""
    shifted = x / scale + zero
    clipped = shifted.clamp(low, high)
    return (clipped + (clipped.round() - clipped).detach() - zero) * scale


class Activation(nn.Module):
    """A Q/DQ pair around a tensor. It records the range until it is fixed, and passes it on."""

    scale: Tensor
    zero: Tensor

    def __init__(self, signed: bool) -> None:
        super().__init__()
        self.signed = signed
        self.low, self.high = (-127, 127) if signed else (0, 255)
        self.register_buffer("scale", torch.zeros(()))
        self.register_buffer("zero", torch.zeros(()))
        self.span: Range = (0.0, 0.0)

    def fix(self, span: Range) -> None:
        """From now on the range is `span`."""
        scale, zero = parameters(span, self.signed)
        self.scale.fill_(scale)
        self.zero.fill_(zero)

    def forward(self, x: Tensor) -> Tensor:
        if not self.scale:
            self.span = min(self.span[0], float(x.min())), max(self.span[1], float(x.max()))
            return x
        return rounded(x, self.scale, self.zero, self.low, self.high)


class Layer(nn.Module):
    """A convolution with its weights on a scale per output channel, symmetric over +-127.

    exact: the weights are as they are, which is how ranges are recorded.
    """

    def __init__(self, layer: nn.Conv2d | nn.ConvTranspose2d, places: bool) -> None:
        """places: a ConvTranspose becomes a 1x1 convolution that has a channel for each place."""
        super().__init__()
        self.layer = layer
        self.exact = True
        transposed = isinstance(layer, nn.ConvTranspose2d)
        self.axes = (0,) if transposed and places else (0, 2, 3) if transposed else (1, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        layer, weight = self.layer, self.layer.weight
        if not self.exact:
            scale = (weight.abs().amax(self.axes, keepdim=True).clamp(min=1e-8) / 127).detach()
            weight = rounded(weight, scale, torch.zeros_like(scale), -127, 127)
        if isinstance(layer, nn.ConvTranspose2d):
            return F.conv_transpose2d(
                x, weight, layer.bias, layer.stride, layer.padding, layer.output_padding,  # type: ignore[arg-type]
                layer.groups, layer.dilation,  # type: ignore[arg-type]
            )  # fmt: skip
        return F.conv2d(
            x,
            weight,
            layer.bias,
            layer.stride,
            layer.padding,
            layer.dilation,
            layer.groups,  # type: ignore[arg-type]
        )


def _normalised_layers(network: nn.Module) -> Iterator[tuple[str, str]]:
    """Names of each convolution and the BatchNorm right behind it in a Sequential."""
    for name, parent in network.named_modules():
        if isinstance(parent, nn.Sequential):
            for at, (layer, norm) in enumerate(pairwise(parent)):
                if isinstance(norm, nn.BatchNorm2d) and isinstance(
                    layer, nn.Conv2d | nn.ConvTranspose2d
                ):
                    yield f"{name}.{at}", f"{name}.{at + 1}"


def folded(network: nn.Module) -> nn.Module:
    """The network in place, in eval mode, with BatchNorm folded into the layers before it."""
    network.eval()
    for layer, norm in list(_normalised_layers(network)):
        before = network.get_submodule(layer)
        fused = fuse_conv_bn_eval(
            before,  # type: ignore[type-var]
            network.get_submodule(norm),  # type: ignore[arg-type]
            transpose=isinstance(before, nn.ConvTranspose2d),
        )
        network.set_submodule(layer, fused)
        network.set_submodule(norm, nn.Identity())
    return network


class _Tracer(fx.Tracer):
    """The scene's depth stays whole: it is not quantized, and looks differently in training."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, SceneDepth) or super().is_leaf_module(m, module_qualified_name)


class Quantized(nn.Module):
    """A network that computes the frame's share as an int8 build does; the scene's stays in float,
    and as it is.

    plain: the network whose weights are taken; it is left as it is.
    """

    def __init__(self, plain: nn.Module, scheme: Scheme) -> None:
        super().__init__()
        self.scheme, self.only = scheme, plain.only
        whole = folded(copy.deepcopy(plain))
        for part in whole.modules():
            if isinstance(part, SceneDepth):
                part.keep()
        self.traced = fx.GraphModule(whole, _Tracer().trace(whole))
        self._insert()

    def forward(self, bg: Tensor, fg_bg: Tensor) -> Outputs:
        return cast(Outputs, self.traced(bg, fg_bg))

    def _insert(self) -> None:
        graph = self.traced.graph
        framed = {node for node in graph.nodes if node.op == "placeholder" and node.name == "fg_bg"}
        for node in graph.nodes:
            if framed.intersection(node.all_input_nodes):
                framed.add(node)
        layers = [n for n in graph.nodes if n in framed and self._is_layer(n)]
        for node in self._pairs(layers, framed):
            self._pair(node, framed)
        for node in layers:
            name = f"int8_{node.name}"
            wrapped = Layer(self._module(node), places=not self.scheme.results)  # type: ignore[arg-type]
            self.traced.add_submodule(name, wrapped)
            node.target = name
        self.traced.recompile()

    def _module(self, node: fx.Node) -> nn.Module | None:
        return self.traced.get_submodule(str(node.target)) if node.op == "call_module" else None

    def _is_layer(self, node: fx.Node) -> bool:
        return isinstance(self._module(node), nn.Conv2d | nn.ConvTranspose2d)

    def _is_relu(self, node: fx.Node) -> bool:
        return node.target in RELU or isinstance(self._module(node), nn.ReLU)

    def _same(self, node: fx.Node) -> fx.Node:
        """Past what passes its input on as it is."""
        readers = list(node.users)
        if len(readers) == 1 and isinstance(self._module(readers[0]), nn.Identity):
            return self._same(readers[0])
        return node

    def _after_relu(self, node: fx.Node) -> fx.Node:
        node = self._same(node)
        readers = list(node.users)
        if len(readers) == 1 and self._is_relu(readers[0]):
            return self._same(readers[0])
        return node

    def _feeds_layer(self, node: fx.Node) -> bool:
        seen, todo = {node}, [node]
        while todo:
            for reader in todo.pop().users:
                if self._is_layer(reader):
                    return True
                if reader not in seen:
                    seen.add(reader)
                    todo.append(reader)
        return False

    def _pairs(self, layers: list[fx.Node], framed: set[fx.Node]) -> Iterable[fx.Node]:
        """The tensors that edge.calibrate.qdq.quantized_tensors chooses, as nodes of this graph."""
        chosen: dict[fx.Node, None] = {}
        for node in self.traced.graph.nodes:
            if node not in framed:
                continue
            if node in layers:
                chosen[node.all_input_nodes[0]] = None
            if not self.scheme.results:
                continue
            if node.target in SUMS and framed.issuperset(node.all_input_nodes):
                if not self._feeds_layer(node):
                    continue
                chosen.update(dict.fromkeys(node.all_input_nodes))
            elif node not in layers:
                continue
            result = self._after_relu(node)
            if self._feeds_layer(result):
                chosen[result] = None
        return list(chosen)

    def _pair(self, node: fx.Node, framed: set[fx.Node]) -> None:
        name = f"pair_{node.name}"
        self.traced.add_submodule(name, Activation(self.scheme.signed))
        readers = [reader for reader in node.users if self.scheme.results or self._is_layer(reader)]
        with self.traced.graph.inserting_after(node):
            pair = self.traced.graph.call_module(name, (node,))
        framed.add(pair)
        for reader in readers:
            reader.replace_input_with(node, pair)

    @torch.no_grad()
    def calibrate(self, batches: Iterable[Batch]) -> None:
        """Fix every range to what is seen on `batches`, by min-max."""
        device = next(self.parameters()).device
        for batch in batches:
            self(*(normalised(batch[name].to(device)) for name in ("bg", "fg_bg")))
        for name, module in self.traced.named_modules():
            if isinstance(module, Activation):
                # Whatever these pictures held: a picture can be black and white.
                module.fix((0.0, 1.0) if name == "pair_fg_bg" else module.span)
            elif isinstance(module, Layer):
                module.exact = False

    def weights(self, plain: nn.Module) -> dict[str, Tensor]:
        """A state dict of `plain` (the network with its BatchNorm) that computes the same.

        What was folded stays in the layers; BatchNorm is left with adding the bias.
        """
        state = plain.state_dict()
        mine = dict(self.traced.named_parameters(remove_duplicate=False))
        for name in state.keys() & mine.keys():
            state[name] = mine[name].detach().clone()
        for layer, norm in _normalised_layers(plain):
            bias = mine[f"{layer}.bias"].detach().clone()
            epsilon = plain.get_submodule(norm).eps
            state[f"{norm}.bias"] = bias
            state[f"{norm}.weight"] = torch.ones_like(bias)
            state[f"{norm}.running_mean"] = torch.zeros_like(bias)
            state[f"{norm}.running_var"] = torch.full_like(bias, 1 - float(epsilon))  # type: ignore[arg-type]
        return state
