"""Write the precision into the graph: QuantizeLinear / DequantizeLinear where a target wants them.

One set of ranges, one graph per scheme. The schemes are not interchangeable: TensorRT refuses
zero points and integer biases, ONNX Runtime runs nothing in int8 without them, and OpenVINO
computes TensorRT's form wrongly.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from calibrate.methods import Range
from edge.errors import EdgeError

LAYERS = {"Conv": 0, "ConvTranspose": 1}
"""Layers with weights, and the axis of their weights that counts outputs (group 1)."""


@dataclass(frozen=True)
class Scheme:
    """Where a target wants its Q/DQ nodes.

    signed:  int8 with zero point 0 (TensorRT), else uint8 with any zero point (CPU runtimes).
    ops:     layers whose data and weights become int8.
    results: also quantize what these layers and the sums of skips give, with an int32 bias, so
             that a CPU runtime finds whole int8 operators; False leaves the bias in float and
             puts Q/DQ before layers only.
    """

    signed: bool
    ops: tuple[str, ...]
    results: bool


SCHEMES = {
    "s8": Scheme(signed=True, ops=("Conv",), results=False),
    "u8": Scheme(signed=False, ops=("Conv", "ConvTranspose"), results=True),
}


def parameters(span: Range, signed: bool) -> tuple[np.float32, np.generic]:
    """Scale and zero point of an activation that covers (low, high).

    signed: symmetric int8 over +-127; else uint8 over 0..255, the zero point where 0 falls.
    """
    low, high = min(span[0], 0.0), max(span[1], 0.0)
    if signed:
        return np.float32(max(-low, high, 1e-8) / 127), np.int8(0)
    scale = np.float32(max(high - low, 1e-8) / 255)
    return scale, np.uint8(np.clip(round(-low / float(scale)), 0, 255))


def quantized_weight(
    weight: npt.NDArray[np.float32], axis: int
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """int8 weights and one scale per output channel, symmetric over +-127."""
    others = tuple(i for i in range(weight.ndim) if i != axis)
    scale = np.maximum(np.abs(weight).max(axis=others), 1e-8).astype(np.float32) / 127
    shape = [1] * weight.ndim
    shape[axis] = -1
    return np.clip(np.round(weight / scale.reshape(shape)), -127, 127).astype(np.int8), scale


class _Graph:
    """The graph being rewritten: who reads and who makes each tensor."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = model.graph
        self.weights = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in model.graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.outputs = {value.name for value in model.graph.output}
        self.made = {name for node in model.graph.node for name in node.output}

    def after_relu(self, name: str) -> str:
        """The tensor behind a ReLU that alone reads `name`, else `name`: they become one kernel."""
        readers = self.readers.get(name, [])
        if len(readers) == 1 and readers[0].op_type == "Relu" and name not in self.outputs:
            return str(readers[0].output[0])
        return name

    def feeds_layer(self, name: str) -> bool:
        """Whether some layer with weights comes after the tensor."""
        seen, todo = set(), [name]
        while todo:
            for node in self.readers.get(todo.pop(), []):
                if node.op_type in LAYERS:
                    return True
                fresh = set(node.output) - seen
                seen |= fresh
                todo += fresh
        return False


def _activations(g: _Graph, layers: list[onnx.NodeProto], scheme: Scheme) -> dict[str, None]:
    """Tensors that get a Q/DQ pair, in the order of the graph."""
    chosen: dict[str, None] = {}
    for node in g.graph.node:
        if node in layers:
            chosen[node.input[0]] = None
        if not scheme.results:
            continue
        if node.op_type == "Add" and g.made.issuperset(node.input):
            # A sum with a constant of the scene stays in float: OpenVINO 2026.4 cannot compile
            # an int8 sum with a constant.
            if not g.feeds_layer(node.output[0]):
                continue
            chosen.update(dict.fromkeys(node.input))
        elif node not in layers:
            continue
        result = g.after_relu(node.output[0])
        if g.feeds_layer(result):
            chosen[result] = None
    return chosen


def quantize(
    model: onnx.ModelProto,
    ranges: Mapping[str, Range],
    scheme: Scheme,
    keep: Collection[str] = (),
) -> onnx.ModelProto:
    """A copy of the float model with Q/DQ pairs as `scheme` wants them.

    ranges: (low, high) by tensor name; a tensor without one is an EdgeError.
    keep: names of layers (nodes) that stay in float.
    """
    model = onnx.ModelProto.FromString(model.SerializeToString())
    g = _Graph(model)
    layers = [n for n in g.graph.node if n.op_type in scheme.ops and n.name not in keep]
    initializers: dict[str, onnx.TensorProto] = {}
    pairs: dict[str, str] = {}
    before: dict[str, list[onnx.NodeProto]] = {}

    def constant(name: str, value: npt.NDArray[np.generic]) -> str:
        initializers[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    scales: dict[str, np.float32] = {}
    for name in _activations(g, layers, scheme):
        # A rewritten ConvTranspose holds the same values in another order.
        span = ranges.get(name, ranges.get(name.removesuffix(".packed")))
        if span is None:
            raise EdgeError(f"no activation range of tensor {name}; record them with this model")
        scale, zero = parameters(span, scheme.signed)
        scales[name] = scale
        keys = [constant(f"{name}.scale", scale), constant(f"{name}.zero", zero)]
        pairs[name] = f"{name}.dq"
        before[name] = [
            helper.make_node("QuantizeLinear", [name, *keys], [f"{name}.q"], f"{name}.quantize"),
            helper.make_node(
                "DequantizeLinear", [f"{name}.q", *keys], [f"{name}.dq"], f"{name}.dequantize"
            ),
        ]

    nodes: list[onnx.NodeProto] = []
    made: set[str] = set()

    def emit_pair(name: str) -> None:
        if name in before and name not in made:
            made.add(name)
            nodes.extend(before[name])

    for node in g.graph.node:
        inner = node in layers
        if inner:
            weight, axis = node.input[1], LAYERS[node.op_type]
            integers, scale = quantized_weight(np.asarray(g.weights[weight], np.float32), axis)
            keys = [
                constant(f"{weight}.q", integers),
                constant(f"{weight}.scale", scale),
                constant(f"{weight}.zero", np.zeros(len(scale), np.int8)),
            ]
            if weight not in made:
                made.add(weight)
                nodes.append(
                    helper.make_node(
                        "DequantizeLinear", keys, [f"{weight}.dq"], f"{weight}.dequantize", axis=axis
                    )
                )
            if scheme.results and len(node.input) > 2:
                bias = node.input[2]
                step = (scale * scales[node.input[0]]).astype(np.float32)
                wide = np.round(g.weights[bias].astype(np.float64) / step)
                limit = 2**31 - 1
                keys = [
                    constant(f"{bias}.q", np.clip(wide, -limit, limit).astype(np.int32)),
                    constant(f"{bias}.scale", step),
                    constant(f"{bias}.zero", np.zeros(len(step), np.int32)),
                ]
                nodes.append(
                    helper.make_node(
                        "DequantizeLinear", keys, [f"{bias}.dq"], f"{bias}.dequantize", axis=0
                    )
                )
                node.input[2] = f"{bias}.dq"
            node.input[1] = f"{weight}.dq"
        if inner or scheme.results:
            for position, name in enumerate(node.input):
                if name in pairs:
                    node.input[position] = pairs[name]
        nodes.append(node)
        for name in node.output:
            emit_pair(name)

    del g.graph.node[:]
    g.graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [w for w in g.graph.initializer if w.name in used]
    del g.graph.initializer[:]
    g.graph.initializer.extend(kept)
    g.graph.initializer.extend(initializers.values())
    del g.graph.value_info[:]
    onnx.checker.check_model(model)
    return model
