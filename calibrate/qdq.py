"""Write the precision into the graph: QuantizeLinear / DequantizeLinear pairs.

One set of ranges gives one graph per scheme. The schemes are not interchangeable: TensorRT refuses
zero points and integer biases, ONNX Runtime runs nothing in int8 without them, and OpenVINO
computes TensorRT's scheme wrongly.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from edge.calibrate.methods import Range
from edge.errors import EdgeError
from edge.graph.dependencies import input_names

LAYERS = {"Conv": 0, "ConvTranspose": 1}
"""Layers with weights, and the axis of their weights that counts outputs (group 1)."""


BIAS_LIMIT = 2**31 - 1


@dataclass(frozen=True)
class Scheme:
    """Placement of Q/DQ nodes.

    signed:  int8 with zero point 0 (TensorRT), else uint8 with any zero point (CPU runtimes).
    ops:     layers whose data and weights become int8.
    results: also quantize the results of these layers and of skip sums, with an int32 bias, so that
             a CPU runtime finds whole int8 operators; False leaves the bias in float and puts Q/DQ
             before layers only.
    """

    signed: bool
    ops: tuple[str, ...]
    results: bool


SCHEMES = {
    "s8": Scheme(signed=True, ops=("Conv",), results=False),
    "u8": Scheme(signed=False, ops=("Conv", "ConvTranspose"), results=True),
}


def parameters(span: Range, signed: bool, least: float = 0.0) -> tuple[float, int]:
    """Scale and zero point of an activation that covers (low, high).

    signed: symmetric int8 over +-127; else uint8 over 0..255, the zero point where 0 falls.
    least: smallest allowed scale.
    """
    low, high = min(span[0], 0.0), max(span[1], 0.0)
    if signed:
        return max(-low, high, 1e-8) / 127, 0
    scale = max(max(high - low, 1e-8) / 255, least)
    return scale, int(np.clip(round(-low / scale), 0, 255))


PAIR = 128
"""Largest sum of two weights of one output channel on a CPU without dot products: vpmaddubsw adds
two products of uint8 and int8 in int16, and 255 * 128 fits."""


def weight_scales(
    weight: npt.NDArray[np.float32], axis: int, pairs: bool
) -> npt.NDArray[np.float32]:
    """One scale per output channel, with which its weights become integers within +-127.

    Args:
        weight: Any shape.
        axis: The axis that counts outputs.
        pairs: Also keep the sum of any two weights of one sign within PAIR, because which two a
            kernel adds first depends on its layout.
    """
    rows = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1)
    scale = np.abs(rows).max(1) / np.float32(127)
    if pairs and rows.shape[1] > 1:
        for signed in (rows, -rows):
            two = np.partition(np.maximum(signed, 0), -2, 1)[:, -2:].sum(1)
            # Rounding adds less than one to each.
            scale = np.maximum(scale, two / np.float32(PAIR - 2))
    return np.asarray(np.maximum(scale, 1e-8 / 127), np.float32)


def quantized_weight(
    weight: npt.NDArray[np.float32],
    axis: int,
    pairs: bool = False,
    least: npt.NDArray[np.float32] | None = None,
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """int8 weights and one scale per output channel.

    The weights of a Conv are rounded so that the sum over the positions of each kernel is right
    within half a step: neighbouring pixels are nearly equal, and there the errors of the positions
    add up (docs/experiments.md).

    Args:
        weight: [out, in, ...] of a Conv, or [in, out, ...] of a ConvTranspose.
        axis: The axis that counts outputs.
        pairs: As of `weight_scales`.
        least: Smallest allowed scale of each channel; None or empty for no limit.
    """
    scale = weight_scales(weight, axis, pairs)
    if least is not None and least.size:
        scale = np.maximum(scale, least)
    shape = [1] * weight.ndim
    shape[axis] = -1
    exact = weight / scale.reshape(shape)
    rounded = np.round(exact)
    if axis == 0:  # a position of a ConvTranspose makes a pixel of its own
        rounded += _compensation((exact - rounded).reshape(*weight.shape[:2], -1)).reshape(
            weight.shape
        )
    return np.clip(rounded, -127, 127).astype(np.int8), scale


def _compensation(error: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What to add to rounded values, -1, 0 or 1 each, to bring the sum of the errors along the last
    axis within +-0.5; the values that were nearest to the other integer are changed."""
    steps = np.round(error.sum(-1, keepdims=True))
    towards = -error * np.sign(steps)
    rank = towards.argsort(-1, kind="stable").argsort(-1, kind="stable")
    return np.where(rank < np.abs(steps), np.sign(steps), 0).astype(np.float32)


class _Graph:
    """Who reads and who makes each tensor of a float graph."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes = list(graph.node)
        self.weights = {w.name: numpy_helper.to_array(w) for w in graph.initializer}
        self.outputs = {value.name for value in graph.output}
        self.made = {name for node in graph.node for name in node.output}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)

    def after_relu(self, name: str) -> str:
        """The tensor behind a ReLU that alone reads `name`, else `name`: they become one kernel."""
        readers = self.readers.get(name, [])
        if len(readers) == 1 and readers[0].op_type == "Relu" and name not in self.outputs:
            return str(readers[0].output[0])
        return name

    def feeds_layer(self, name: str) -> bool:
        """Whether some layer with weights comes after the tensor."""
        seen: set[str] = set()
        todo = [name]
        while todo:
            for node in self.readers.get(todo.pop(), []):
                if node.op_type in LAYERS:
                    return True
                fresh = set(node.output) - seen
                seen |= fresh
                todo += fresh
        return False


def quantized_tensors(g: _Graph, layers: Collection[str], scheme: Scheme) -> list[str]:
    """Activations that get a Q/DQ pair, in the order of the graph. layers: names of nodes."""
    chosen: dict[str, None] = {}
    for node in g.nodes:
        if node.name in layers:
            chosen[node.input[0]] = None
        if not scheme.results:
            continue
        # A sum with a constant of the scene stays in float: OpenVINO 2026.4 cannot compile an
        # int8 sum with a constant.
        if node.op_type == "Add" and g.made.issuperset(node.input):
            if not g.feeds_layer(node.output[0]):
                continue
            chosen.update(dict.fromkeys(node.input))
        elif node.name not in layers:
            continue
        result = g.after_relu(node.output[0])
        if g.feeds_layer(result):
            chosen[result] = None
    return list(chosen)


def _least_steps(g: _Graph, layers: Collection[str]) -> dict[str, float]:
    """The smallest steps of results with which the bias of the layer, counted in such steps, fits
    into int32: OpenVINO does not compile a layer where it does not."""
    steps = {}
    for node in g.nodes:
        if node.name in layers and len(node.input) > 2:
            bias = float(np.abs(g.weights[node.input[2]]).max(initial=0.0))
            steps[g.after_relu(node.output[0])] = 2 * bias / BIAS_LIMIT
    return steps


def unfit(model: onnx.ModelProto, ranges: Mapping[str, Range], scheme: Scheme) -> list[str]:
    """Layers at the end of a float graph that a scheme with integer biases cannot store.

    The bias is stored in steps of the weights. Where it is so large that it only fits with larger
    steps, the weights lose their digits. Within the graph that is no loss, because the result is
    rounded to 8 bits; at its end it is.
    """
    g = _Graph(model.graph)
    found = []
    for node in g.nodes if scheme.results else ():
        if node.op_type not in scheme.ops or len(node.input) < 3 or node.input[0] not in ranges:
            continue
        if g.feeds_layer(node.output[0]):
            continue
        weight = np.asarray(g.weights[node.input[1]], np.float32)
        axis = LAYERS[node.op_type]
        scales = {node.input[0]: parameters(ranges[node.input[0]], scheme.signed)}
        own = weight_scales(weight, axis, not scheme.signed)
        alive = np.abs(np.moveaxis(weight, axis, 0)).reshape(len(own), -1).max(1) > 0
        if (alive & (_bias_scales(g.weights, node, scales) > own)).any():
            found.append(node.name)
    return found


class _Writer:
    """The quantized graph as it grows: nodes in order, and the constants that they read."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        self.constants[name] = numpy_helper.from_array(value, name)
        return name

    def pair(self, name: str, scale: float, zero: int, signed: bool) -> str:
        """Q and DQ behind a tensor; returns the name of what comes out."""
        keys = [
            self.constant(f"{name}.scale", np.array(scale, np.float32)),
            self.constant(f"{name}.zero", np.array(zero, np.int8 if signed else np.uint8)),
        ]
        self.nodes += [
            helper.make_node("QuantizeLinear", [name, *keys], [f"{name}.q"], f"{name}.quantize"),
            helper.make_node(
                "DequantizeLinear", [f"{name}.q", *keys], [f"{name}.dq"], f"{name}.dequantize"
            ),
        ]
        return f"{name}.dq"

    def integers(
        self, name: str, values: npt.NDArray[Any], scale: npt.NDArray[np.float32], axis: int
    ) -> str:
        """A constant kept as integers behind a DQ with one scale per channel of `axis`."""
        if f"{name}.q" in self.constants:  # weights that two layers share
            return f"{name}.dq"
        keys = [
            self.constant(f"{name}.q", values),
            self.constant(f"{name}.scale", scale),
            self.constant(f"{name}.zero", np.zeros(len(scale), values.dtype)),
        ]
        self.nodes.append(
            helper.make_node(
                "DequantizeLinear", keys, [f"{name}.dq"], f"{name}.dequantize", axis=axis
            )
        )
        return f"{name}.dq"


def quantize(
    model: onnx.ModelProto,
    ranges: Mapping[str, Range],
    scheme: Scheme,
    keep: Collection[str] = (),
) -> onnx.ModelProto:
    """Insert Q/DQ pairs into a copy of the float model.

    Args:
        model: A float graph whose nodes have unique names.
        ranges: (low, high) by tensor name.
        scheme: Where the pairs go.
        keep: Names of the layers (nodes) that stay in float.

    Raises:
        EdgeError: A quantized tensor has no range.
    """
    model = onnx.ModelProto.FromString(model.SerializeToString())
    g = _Graph(model.graph)
    layers = {
        n.name for n in g.nodes
        if n.op_type in scheme.ops and n.name not in keep and g.weights.keys() >= set(n.input[1:])
    }  # fmt: skip
    scales: dict[str, tuple[float, int]] = {}
    least = _least_steps(g, layers) if scheme.results else {}
    for name in quantized_tensors(g, layers, scheme):
        # A rewritten ConvTranspose holds the same values in another order.
        span = ranges.get(name, ranges.get(name.removesuffix(".packed")))
        if span is None:
            raise EdgeError(f"no activation range of tensor {name}; record them with this model")
        scales[name] = parameters(span, scheme.signed, least.get(name, 0.0))

    out = _Writer()
    read_as: dict[str, str] = {}
    for node in g.nodes:
        if node.name in layers:
            _quantize_layer(out, node, g.weights, scales, scheme)
        if node.name in layers or scheme.results:
            for position, name in enumerate(node.input):
                node.input[position] = read_as.get(name, name)
        out.nodes.append(node)
        for name in node.output:
            if name in scales:
                read_as[name] = out.pair(name, *scales[name], scheme.signed)

    del model.graph.node[:], model.graph.value_info[:]
    model.graph.node.extend(out.nodes)
    used = {name for node in out.nodes for name in input_names(node)}
    kept = [w for w in model.graph.initializer if w.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend([*kept, *out.constants.values()])
    onnx.checker.check_model(model)
    return model


def with_rounded(background: onnx.ModelProto, frame: onnx.ModelProto) -> onnx.ModelProto:
    """A float graph whose weights take the values that a quantized graph stores by their names."""
    background = onnx.ModelProto.FromString(background.SerializeToString())
    stored = {w.name: w for w in frame.graph.initializer}
    axes = {n.input[0]: n.attribute[0].i for n in frame.graph.node if n.name.endswith(".dequantize")
            and n.attribute}  # fmt: skip
    for weight in background.graph.initializer:
        name = f"{weight.name}.q"
        if name in stored and name in axes:
            integers = numpy_helper.to_array(stored[name])
            scale = numpy_helper.to_array(stored[f"{weight.name}.scale"])
            steps = scale.reshape([-1 if i == axes[name] else 1 for i in range(integers.ndim)])
            weight.CopyFrom(numpy_helper.from_array(integers * steps, weight.name))
    return background


def _bias_scales(
    weights: Mapping[str, npt.NDArray[Any]],
    node: onnx.NodeProto,
    scales: Mapping[str, tuple[float, int]],
) -> npt.NDArray[np.float32]:
    """The smallest weight scales with which the bias fits into int32.

    The bias is stored in steps of data scale times weight scale. In a channel whose weights are
    nearly zero that step is so small that the bias would be clipped.
    """
    axis = LAYERS[node.op_type]
    channels = weights[node.input[1]].shape[axis]
    bias = np.abs(weights[node.input[2]].astype(np.float64)).reshape(-1, channels).max(0)
    # A factor of two, because float32 rounds the step.
    return np.asarray(2 * bias / (BIAS_LIMIT * scales[node.input[0]][0]), np.float32)


def _quantize_layer(
    out: _Writer,
    node: onnx.NodeProto,
    weights: Mapping[str, npt.NDArray[Any]],
    scales: Mapping[str, tuple[float, int]],
    scheme: Scheme,
) -> None:
    """Store a layer's weights as integers and, where the scheme has results in int8, its bias."""
    weight, axis = node.input[1], LAYERS[node.op_type]
    least: npt.NDArray[np.float32] = np.zeros(0, np.float32)
    if scheme.results and len(node.input) > 2:
        least = _bias_scales(weights, node, scales)
    integers, scale = quantized_weight(
        np.asarray(weights[weight], np.float32), axis, not scheme.signed, least
    )
    if scheme.results and len(node.input) > 2:
        # The bias is added to the int32 sums: its step is that of data times weight.
        step = (scale * np.float32(scales[node.input[0]][0])).astype(np.float32)
        # The weights of a grouped ConvTranspose hold the outputs of one group along the axis; every
        # group has the same steps.
        step = np.tile(step, len(weights[node.input[2]]) // len(step))
        wide = np.clip(
            np.round(weights[node.input[2]].astype(np.float64) / step), -BIAS_LIMIT, BIAS_LIMIT
        )
        # Named after the layer: a bias that two layers share has a step in each.
        node.input[2] = out.integers(f"{node.name}.bias", wide.astype(np.int32), step, 0)
    stored = out.constants.get(f"{weight}.scale")
    if stored is not None and not np.array_equal(numpy_helper.to_array(stored), scale):
        weight = f"{node.name}.weight"  # two layers share it, and one has a larger bias
    node.input[1] = out.integers(weight, integers, scale, axis)
