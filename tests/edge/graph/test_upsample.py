from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.graph.upsample import is_doubling, to_depth_to_space


def layer(
    inputs: int, outputs: int, bias: bool, rng: np.random.Generator, **attributes: object
) -> onnx.ModelProto:
    kernel = rng.normal(size=(inputs, outputs, 2, 2)).astype(np.float32)
    weights = [numpy_helper.from_array(kernel, "w")]
    if bias:
        weights.append(numpy_helper.from_array(rng.normal(size=outputs).astype(np.float32), "b"))
    attributes = {"strides": [2, 2], **attributes}
    node = helper.make_node(
        "ConvTranspose", ["x", *(w.name for w in weights)], ["y"], "up", **attributes
    )
    graph = helper.make_graph(
        [node],
        "up",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, inputs, 5, 7])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "c", "h", "w"])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return np.asarray(session.run(None, {"x": x})[0])


@pytest.mark.parametrize(("inputs", "outputs"), [(8, 4), (55, 33), (1, 1)])
@pytest.mark.parametrize("bias", [True, False])
def test_the_rewrite_is_exact(
    inputs: int, outputs: int, bias: bool, rng: np.random.Generator
) -> None:
    model = layer(inputs, outputs, bias, rng)
    rewritten = to_depth_to_space(model)
    assert [node.op_type for node in rewritten.graph.node] == ["Conv", "DepthToSpace"]
    x = rng.normal(size=(1, inputs, 5, 7)).astype(np.float32)
    assert run(rewritten, x) == pytest.approx(run(model, x), abs=1e-5)


@pytest.mark.parametrize(
    "attributes",
    [{"strides": [1, 1]}, {"pads": [1, 1, 1, 1]}, {"group": 2}, {"output_padding": [1, 1]}],
)
def test_other_transposed_convolutions_are_left_alone(
    attributes: dict[str, object], rng: np.random.Generator
) -> None:
    model = layer(4, 4, False, rng, **attributes)
    assert not is_doubling(model.graph.node[0])
    assert [node.op_type for node in to_depth_to_space(model).graph.node] == ["ConvTranspose"]
