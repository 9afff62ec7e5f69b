"""Check a graph for what TensorRT refuses, before its parser does."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from edge.graph.float16 import SCALES_NEED
from edge.graph.opset import opset_of


def trt_ready(model: onnx.ModelProto) -> list[str]:
    """List what TensorRT 10.3 to 11 and TensorRT-RTX refuse in a graph; empty if nothing.

    Q/DQ must be signed with zero point 0, biases float, scales constant; float16 scales need opset
    19; uint8 is allowed for inputs, with a Cast right after, and for outputs.
    """
    graph = model.graph
    constants = {w.name: w for w in graph.initializer}
    types = {value.name: value.type.tensor_type.elem_type for value in graph.input}
    types |= {name: weight.data_type for name, weight in constants.items()}
    opset = opset_of(model)
    reasons = []
    for node in graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            if node.op_type == "DynamicQuantizeLinear":
                reasons.append(
                    f"{node.name}: the scale is computed at run time, expected a constant"
                )
            continue
        where = node.name or node.output[0]
        scale = constants.get(node.input[1])
        if scale is None:
            reasons.append(f"{where}: the scale is not a constant")
        elif scale.data_type == TensorProto.FLOAT16 and opset < SCALES_NEED:
            reasons.append(
                f"{where}: float16 scale at opset {opset}, expected opset {SCALES_NEED} or later"
            )
        zero = constants.get(node.input[2]) if len(node.input) > 2 else None
        if zero is not None:
            kind = TensorProto.DataType.Name(zero.data_type).lower()
            if zero.data_type == TensorProto.INT32:
                reasons.append(f"{where}: int32 bias behind Q/DQ, expected a float bias")
            elif zero.data_type != TensorProto.INT8:
                reasons.append(f"{where}: {kind}, expected int8 with zero point 0")
            elif np.any(numpy_helper.to_array(zero)):
                reasons.append(f"{where}: zero point is not 0, expected symmetric int8")
        elif node.op_type == "DequantizeLinear":
            kind = types.get(node.input[0], TensorProto.INT8)
            if kind != TensorProto.INT8:
                name = TensorProto.DataType.Name(kind).lower()
                reasons.append(f"{where}: {name}, expected int8 with zero point 0")
        else:
            reasons.append(f"{where}: no zero point means uint8, expected int8 with zero point 0")
    bytes_in = {
        value.name for value in graph.input if value.type.tensor_type.elem_type == TensorProto.UINT8
    }
    for node in graph.node:
        touched = bytes_in.intersection(node.input)
        if touched and node.op_type != "Cast":
            reasons.append(
                f"{node.name}: {node.op_type} works on uint8 {', '.join(touched)},"
                " expected a Cast right after the input"
            )
    return reasons
