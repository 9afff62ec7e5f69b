"""Weights as initializers, whichever way an exporter wrote them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from edge.graph.dependencies import input_names

FOLDED = {
    "Add", "Cast", "Concat", "Div", "Expand", "Flatten", "Gather", "Identity", "Mul", "Neg", "Pow",
    "Reciprocal", "Reshape", "Slice", "Sqrt", "Squeeze", "Sub", "Transpose", "Unsqueeze",
}  # fmt: skip
"""Operators that exporters put between a weight and its layer. DequantizeLinear is none of them: a
network that is quantized already stays quantized."""


def with_initializers(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with constants as initializers, and no initializer among its inputs.

    Constant nodes, and nodes of FOLDED that read constants alone, become initializers of the name
    of their output. Constants that are outputs of the graph, or that onnx cannot evaluate, stay
    nodes.
    """
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    graph = copy.graph
    constants = {weight.name: weight for weight in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    outputs = {value.name for value in graph.output}
    nodes = []
    for node in graph.node:
        reads = input_names(node)
        constant = node.op_type == "Constant" or (
            node.op_type in FOLDED and reads and constants.keys() >= set(reads)
        )
        weight = None
        if constant and outputs.isdisjoint(node.output):
            weight = _evaluate(copy, node, [constants[name] for name in dict.fromkeys(reads)])
        if weight is None:
            nodes.append(node)
        else:
            constants[weight.name] = weight
    if len(nodes) == len(graph.node) and len(inputs) == len(graph.input):
        return model
    # Before IR version 4 an initializer had to be an input as well; 8 is that of opset 15.
    copy.ir_version = max(copy.ir_version, 8)
    del graph.node[:], graph.input[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.input.extend(inputs)
    read = set(_names_read(graph)) | outputs
    graph.initializer.extend(w for name, w in constants.items() if name in read)
    return copy


def _evaluate(
    model: onnx.ModelProto, node: onnx.NodeProto, weights: list[onnx.TensorProto]
) -> onnx.TensorProto | None:
    """The output of a node that reads `weights` alone; None where onnx cannot compute it."""
    name = node.output[0]
    result = helper.make_tensor_value_info(name, onnx.TensorProto.UNDEFINED, None)
    graph = helper.make_graph([node], "constant", [], [result], weights)
    single = helper.make_model(graph, opset_imports=list(model.opset_import))
    try:
        value = ReferenceEvaluator(single).run(None, {})[0]
        return numpy_helper.from_array(np.asarray(value), name)
    except (NotImplementedError, RuntimeError, TypeError, ValueError):
        return None


def _names_read(graph: onnx.GraphProto) -> Iterator[str]:
    """The tensors that nodes read, in subgraphs too."""
    for node in graph.node:
        yield from input_names(node)
