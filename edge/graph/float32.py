"""Networks of another precision in float32, the form that calibration and the targets expect."""

from __future__ import annotations

from collections.abc import Iterable

import onnx
from onnx import TensorProto, numpy_helper

OTHERS = {TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE}
TYPES = {
    "Cast": "to", "EyeLike": "dtype", "RandomNormal": "dtype", "RandomNormalLike": "dtype",
    "RandomUniform": "dtype", "RandomUniformLike": "dtype",
}  # fmt: skip
"""Operators with an attribute that names a type."""


def with_float32(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with float32 in place of float16, bfloat16 and float64.

    Weights in half precision keep their values; those of float64 are rounded. Casts to half
    precision round no more.
    """
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    _convert_graph(copy.graph)
    return model if copy == model else copy


def _convert_graph(graph: onnx.GraphProto) -> None:
    for weight in graph.initializer:
        _convert_tensor(weight)
    for value in (*graph.output, *graph.value_info):
        kind = value.type.tensor_type
        if kind.elem_type in OTHERS:
            kind.elem_type = TensorProto.FLOAT
    for node in graph.node:
        _convert_attributes(node.op_type, node.attribute)


def _convert_attributes(operator: str, attributes: Iterable[onnx.AttributeProto]) -> None:
    for attribute in attributes:
        if attribute.type == onnx.AttributeProto.TENSOR:
            _convert_tensor(attribute.t)
        if attribute.name == TYPES.get(operator) and attribute.i in OTHERS:
            attribute.i = TensorProto.FLOAT
        for graph in (attribute.g, *attribute.graphs):
            _convert_graph(graph)


def _convert_tensor(tensor: onnx.TensorProto) -> None:
    if tensor.data_type in OTHERS:
        values = numpy_helper.to_array(tensor).astype("float32")
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
