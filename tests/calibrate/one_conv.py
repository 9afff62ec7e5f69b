"""Two convolutions of equal weights over white, in int8 and in float, in one runtime.

    python one_conv.py openvino|onnxruntime ours|full

prints the largest difference as a share of the largest value. `full` lets weights fill +-127, as
builds of earlier versions did: without dot products their sums saturate.
"""

from __future__ import annotations

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge.calibrate import qdq
from edge.targets import get

runtime, kind = sys.argv[1:]
if kind == "full":
    ours = qdq.weight_scales
    qdq.weight_scales = lambda weight, axis, pairs: ours(weight, axis, False)
weight = np.full((16, 16, 3, 3), 1.0, np.float32)
weight[12:] = -1


def info(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 16, 8, 8])


graph = helper.make_graph(
    [
        helper.make_node("Relu", ["white"], ["x"], "relu"),  # inputs of a graph are not quantized
        *(
            helper.make_node(
                "Conv", [source, f"w{to}"], [to], to, pads=[1] * 4, kernel_shape=[3, 3]
            )
            for source, to in (("x", "y"), ("y", "z"))
        ),
    ],
    "g",
    [info("white")],
    [info("z")],
    [numpy_helper.from_array(weight, name) for name in ("wy", "wz")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
int8 = qdq.quantize(model, {"x": (0.0, 1.0), "y": (-144.0, 144.0)}, qdq.SCHEMES["u8"])
feeds = {"white": np.ones((1, 16, 8, 8), np.float32)}
found, true = (get(runtime).session(one)(["z"], feeds)[0] for one in (int8, model))
print(float(np.abs(found - true).max() / np.abs(true).max()))
