"""The smallest network of the contract."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 16


def tiny(version: int = 17) -> onnx.ModelProto:
    """A network of the contract in a dozen nodes: both images, a fusion, a mask."""
    rng = np.random.default_rng(1)

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(rng.normal(0, 0.2, shape).astype(np.float32), name)

    nodes = []
    for image in ("bg", "fg_bg"):
        nodes += [
            helper.make_node("Cast", [image], [f"{image}_f"], to=TensorProto.FLOAT),
            helper.make_node("Transpose", [f"{image}_f"], [f"{image}_t"], perm=[0, 3, 1, 2]),
            helper.make_node("Div", [f"{image}_t", "white"], [f"{image}_d"], f"{image}_div"),
            helper.make_node("Conv", [f"{image}_d", "w1", "b1"], [f"{image}_c"], f"{image}_conv",
                             pads=[1, 1, 1, 1]),
        ]  # fmt: skip
    nodes += [
        helper.make_node("Concat", ["bg_c", "fg_bg_c"], ["both"], "both", axis=1),
        helper.make_node("Relu", ["both"], ["relu"], "relu"),
        helper.make_node("Conv", ["relu", "w2"], ["logit"], "head"),
        helper.make_node("Sigmoid", ["logit"], ["mask"], "sigmoid"),
    ]
    graph = helper.make_graph(
        nodes, "tiny",
        [helper.make_tensor_value_info(name, TensorProto.UINT8, [1, SIDE, SIDE, 3])
         for name in ("bg", "fg_bg")],
        [helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1, 1, SIDE, SIDE])],
        [weights("w1", 4, 3, 3, 3), weights("b1", 4), weights("w2", 1, 8, 1, 1),
         numpy_helper.from_array(np.float32(255), "white")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
    model.ir_version = 8
    model.metadata_props.add(key="stride", value="1")
    return model
