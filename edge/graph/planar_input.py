"""The frame as float planes [1, 3, H, W], as DeepStream prepares it."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

from edge.manifest import FRAME_INPUT


def with_planar_input(frame: onnx.ModelProto) -> onnx.ModelProto:
    """Return the frame graph with the input fg_bg in float32 [1, 3, H, W], BGR of 0 to 255.

    float32 holds every byte: the results are the same bits.
    """
    model = onnx.ModelProto.FromString(frame.SerializeToString())
    graph = model.graph
    value = next(v for v in graph.input if v.name == FRAME_INPUT)
    batch, height, width, channels = (side.dim_value for side in value.type.tensor_type.shape.dim)
    last = f"{FRAME_INPUT}.last"
    for node in graph.node:
        node.input[:] = [last if name == FRAME_INPUT else name for name in node.input]
    nodes = [
        helper.make_node("Transpose", [FRAME_INPUT], [last], last, perm=(0, 2, 3, 1)),
        *graph.node,
    ]
    del graph.node[:]
    graph.node.extend(nodes)
    sides = (batch, channels, height, width)
    value.CopyFrom(helper.make_tensor_value_info(FRAME_INPUT, TensorProto.FLOAT, sides))
    onnx.checker.check_model(model, full_check=True)
    return model
