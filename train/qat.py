"""Quantization-aware training: the forward pass computes as the int8 build will.

BatchNorm is folded into the layers, and the tensors that `calibrate.qdq` puts Q/DQ pairs around are
rounded to the same 8-bit scale; gradients pass through the rounding (Jacob et al. 2018). The
placement follows the target's scheme, so the trained network is the one that is built: a test
compares the two number by number. A run saves the weights of the plain network.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from edge.calibrate.methods import Range
from edge.calibrate.qdq import Scheme, parameters, quantized_weight
from edge.train.data.mix import Batch
from edge.train.folding import fold_batchnorm, identity, normalised_layers
from edge.train.networks import network_inputs
from edge.train.networks.scene import SceneDepth
from edge.train.networks.variant import Outputs

SUMS = {operator.add, torch.add}
RELU = {F.relu, torch.relu}


def fake_quantize(x: Tensor, scale: Tensor, zero: Tensor, low: int, high: int) -> Tensor:
    """Round to an 8-bit scale with a straight-through gradient inside its range.

    Args:
        x: Any shape.
        scale: Step of the scale.
        zero: Zero point.
        low: Lowest integer.
        high: Highest integer.
    """
    shifted = x / scale + zero
    clipped = shifted.clamp(low, high)
    return (clipped + (clipped.round() - clipped).detach() - zero) * scale


class FakeQuant(nn.Module):
    """A Q/DQ pair around a tensor; until its range is fixed it records the range and passes the
    tensor through."""

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
        """Fix the range to (low, high)."""
        scale, zero = parameters(span, self.signed)
        self.scale.fill_(scale)
        self.zero.fill_(zero)

    def forward(self, x: Tensor) -> Tensor:
        if not self.scale:
            self.span = min(self.span[0], float(x.min())), max(self.span[1], float(x.max()))
            return x
        return fake_quantize(x, self.scale, self.zero, self.low, self.high)


class FakeQuantLayer(nn.Module):
    """A convolution with weights rounded as a build stores them.

    Args:
        layer: The convolution.
        pairs: As of edge.calibrate.qdq.quantized_weight.
        per_position: Use a scale per output channel and kernel position, as of a ConvTranspose that
            the build turns into a 1x1 convolution with depth_to_space.

    Attributes:
        exact: Leave the weights unrounded, while ranges are recorded.
    """

    def __init__(
        self, layer: nn.Conv2d | nn.ConvTranspose2d, pairs: bool, per_position: bool
    ) -> None:
        super().__init__()
        self.layer, self.pairs = layer, pairs
        self.exact = True
        self.transposed = isinstance(layer, nn.ConvTranspose2d)
        self.per_position = self.transposed and per_position

    def _stored(self) -> Tensor:
        """The weights of the build."""
        weight = self.layer.weight.detach()
        values = weight.cpu().numpy()
        if self.per_position:
            values = values.reshape(len(values), -1)
        axis = 1 if self.transposed else 0
        integers, scale = quantized_weight(values, axis, self.pairs)
        steps = scale.reshape([-1 if i == axis else 1 for i in range(values.ndim)])
        return torch.from_numpy(integers * steps).to(weight).reshape(weight.shape)

    def forward(self, x: Tensor) -> Tensor:
        layer, weight = self.layer, self.layer.weight
        if not self.exact:
            weight = weight + (self._stored() - weight).detach()
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


class _Tracer(fx.Tracer):
    """Keeps SceneDepth a leaf: it is not quantized, and its passes differ in training."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, SceneDepth) or super().is_leaf_module(m, module_qualified_name)


class Quantized(nn.Module):
    """A network that computes the frame's part as an int8 build does; the background's part stays
    in float, and its scene depth is frozen.

    Args:
        plain: The network whose weights are copied; left unchanged.
        scheme: Placement of Q/DQ nodes of the target.
    """

    def __init__(self, plain: nn.Module, scheme: Scheme) -> None:
        super().__init__()
        self.scheme, self.only = scheme, plain.only
        network = fold_batchnorm(copy.deepcopy(plain))
        for part in network.modules():
            if isinstance(part, SceneDepth):
                part.keep()
        self.traced = fx.GraphModule(network, _Tracer().trace(network))
        self._insert_fake_quant()

    def forward(self, bg: Tensor, fg_bg: Tensor, spread: Tensor | None = None) -> Outputs:
        known = torch.zeros_like(bg) if spread is None else spread
        return cast(Outputs, self.traced(bg, fg_bg, known))

    def _insert_fake_quant(self) -> None:
        graph = self.traced.graph
        in_frame = {n for n in graph.nodes if n.op == "placeholder" and n.name == "fg_bg"}
        for node in graph.nodes:
            if in_frame.intersection(node.all_input_nodes):
                in_frame.add(node)
        layers = [n for n in graph.nodes if n in in_frame and self._is_layer(n)]
        for node in self._quantized_tensors(layers, in_frame):
            self._insert_pair(node, in_frame)
        rounded: dict[nn.Module, str] = {}
        for node in layers:
            name = rounded[self._module(node)] = f"int8_{node.name}"  # type: ignore[index]
            layer = FakeQuantLayer(
                self._module(node),  # type: ignore[arg-type]
                pairs=not self.scheme.signed,
                per_position=not self.scheme.results,
            )
            self.traced.add_submodule(name, layer)
            node.target = name
        for node in graph.nodes:  # the background's layers with the same weights
            if node not in in_frame and (name := rounded.get(self._module(node))):  # type: ignore[arg-type, assignment]
                node.target = name
        self.traced.recompile()

    def _module(self, node: fx.Node) -> nn.Module | None:
        return self.traced.get_submodule(str(node.target)) if node.op == "call_module" else None

    def _is_layer(self, node: fx.Node) -> bool:
        return isinstance(self._module(node), nn.Conv2d | nn.ConvTranspose2d)

    def _is_relu(self, node: fx.Node) -> bool:
        return node.target in RELU or isinstance(self._module(node), nn.ReLU)

    def _skip_identity(self, node: fx.Node) -> fx.Node:
        """The last node that has the same value."""
        readers = list(node.users)
        if len(readers) == 1 and isinstance(self._module(readers[0]), nn.Identity):
            return self._skip_identity(readers[0])
        return node

    def _after_relu(self, node: fx.Node) -> fx.Node:
        node = self._skip_identity(node)
        readers = list(node.users)
        if len(readers) == 1 and self._is_relu(readers[0]):
            return self._skip_identity(readers[0])
        return node

    def _feeds_layer(self, node: fx.Node) -> bool:
        visited, pending = {node}, [node]
        while pending:
            for reader in pending.pop().users:
                if self._is_layer(reader):
                    return True
                if reader not in visited:
                    visited.add(reader)
                    pending.append(reader)
        return False

    def _quantized_tensors(
        self, layers: list[fx.Node], in_frame: set[fx.Node]
    ) -> Iterable[fx.Node]:
        """The tensors that edge.calibrate.qdq.quantized_tensors chooses, as nodes of this graph."""
        chosen: dict[fx.Node, None] = {}
        for node in self.traced.graph.nodes:
            if node not in in_frame:
                continue
            if node in layers:
                chosen[node.all_input_nodes[0]] = None
            if not self.scheme.results:
                continue
            if node.target in SUMS and in_frame.issuperset(node.all_input_nodes):
                if not self._feeds_layer(node):
                    continue
                chosen.update(dict.fromkeys(node.all_input_nodes))
            elif node not in layers:
                continue
            result = self._after_relu(node)
            if self._feeds_layer(result):
                chosen[result] = None
        return list(chosen)

    def _insert_pair(self, node: fx.Node, in_frame: set[fx.Node]) -> None:
        name = f"pair_{node.name}"
        self.traced.add_submodule(name, FakeQuant(self.scheme.signed))
        readers = [reader for reader in node.users if self.scheme.results or self._is_layer(reader)]
        with self.traced.graph.inserting_after(node):
            pair = self.traced.graph.call_module(name, (node,))
        in_frame.add(pair)
        for reader in readers:
            reader.replace_input_with(node, pair)

    @torch.no_grad()
    def calibrate(self, batches: Iterable[Batch]) -> None:
        """Fix every activation range to the extremes on `batches` (min-max)."""
        device = next(self.parameters()).device
        for batch in batches:
            self(*(image.to(device) for image in network_inputs(batch)))
        for name, module in self.traced.named_modules():
            if isinstance(module, FakeQuant):
                # An input's range is fixed, because another image can be black and white.
                module.fix((0.0, 1.0) if name == "pair_fg_bg" else module.span)
            elif isinstance(module, FakeQuantLayer):
                module.exact = False

    def weights(self, plain: nn.Module) -> dict[str, Tensor]:
        """A state dict of `plain`, the network with BatchNorm, that computes the same in float.

        The folded scale stays in the layers; BatchNorm only adds the bias.
        """
        state = plain.state_dict()
        trained = dict(self.traced.named_parameters(remove_duplicate=False))
        for name in state.keys() & trained.keys():
            state[name] = trained[name].detach().clone()
        for layer, norm in normalised_layers(plain):
            bias = trained[f"{layer}.bias"].detach().clone()
            state |= identity(norm, plain.get_submodule(norm), bias)
        return state
