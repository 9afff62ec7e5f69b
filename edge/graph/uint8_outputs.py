"""Mask and depth as uint8, a quarter of the bytes that float32 outputs take."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SUFFIX = "_u8"


def with_uint8_outputs(frame: onnx.ModelProto, quantizer: bool) -> onnx.ModelProto:
    """Return the frame graph with outputs `mask_u8` and `depth_u8`, uint8, 255 for 1.0.

    Args:
        frame: The frame graph.
        quantizer: Convert by QuantizeLinear, one pass in CPU runtimes. Otherwise by arithmetic and
            a final Cast, the only operator of TensorRT that outputs uint8.
    """
    model = onnx.ModelProto.FromString(frame.SerializeToString())
    graph = model.graph
    for value in graph.output:
        name, to = value.name, f"{value.name}{SUFFIX}"
        if quantizer:
            constants = {f"{to}.scale": np.float32(1 / 255), f"{to}.zero": np.uint8(0)}
            nodes = [helper.make_node("QuantizeLinear", [name, *constants], [to], to)]
        else:
            constants = {f"{to}.white": np.float32(255), f"{to}.half": np.float32(0.5)}
            white, half = constants
            steps = [f"{to}.scaled", f"{to}.rounded"]
            nodes = [
                helper.make_node("Mul", [name, white], [steps[0]], steps[0]),
                helper.make_node("Add", [steps[0], half], [steps[1]], steps[1]),
                helper.make_node("Cast", [steps[1]], [to], to, to=TensorProto.UINT8),
            ]
        graph.initializer.extend(
            numpy_helper.from_array(np.array(c), key) for key, c in constants.items()
        )
        graph.node.extend(nodes)
        value.name = to
        value.type.tensor_type.elem_type = TensorProto.UINT8
    onnx.checker.check_model(model)
    return model
