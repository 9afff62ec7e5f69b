"""The static profile of a network: parameters, MACs and memory traffic."""

from __future__ import annotations

import math

import onnx

from edge.graph.dependencies import tensor_shapes


def parameters(model: onnx.ModelProto) -> int:
    """Count the floating-point weights; scalars are not counted."""
    return sum(
        math.prod(w.dims)
        for w in model.graph.initializer
        if w.dims and w.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    )


def macs(model: onnx.ModelProto) -> int:
    """Count the multiply-accumulates of convolutions and matrix products for one frame."""
    sides = tensor_shapes(onnx.shape_inference.infer_shapes(model, strict_mode=True).graph)
    return sum(node_macs(node, sides) for node in model.graph.node)


def node_macs(node: onnx.NodeProto, sides: dict[str, list[int]]) -> int:
    """Count the multiply-accumulates of a node; 0 unless it is a convolution or matrix product."""
    if node.op_type == "Conv":
        # weight [out, in / group, kh, kw], once per output position
        positions = math.prod(sides[node.output[0]]) // sides[node.output[0]][1]
        return positions * math.prod(sides[node.input[1]])
    if node.op_type == "ConvTranspose":
        # weight [in, out / group, kh, kw], once per input position
        positions = math.prod(sides[node.input[0]]) // sides[node.input[0]][1]
        return positions * math.prod(sides[node.input[1]])
    if node.op_type in ("MatMul", "Gemm"):
        inner = sides[node.input[0]][-1]
        if any(a.name == "transA" and a.i for a in node.attribute):
            inner = sides[node.input[0]][0]
        return math.prod(sides[node.output[0]]) * inner
    return 0


def memory_traffic(model: onnx.ModelProto) -> int:
    """Estimate the bytes that an int8 engine reads and writes for one frame, at one byte per value.

    Counts the weights once and the inputs and outputs of every layer and sum. A runtime that fuses
    operators keeps some of them in registers, so this is an upper bound.
    """
    known = tensor_shapes(onnx.shape_inference.infer_shapes(model).graph)
    touched = [
        name
        for node in model.graph.node
        if node.op_type in ("Conv", "ConvTranspose", "Add", "Sub")
        for name in (*node.input, *node.output)
    ]
    return sum(math.prod(known.get(name, [0])) for name in touched)
