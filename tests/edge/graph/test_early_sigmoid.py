"""A sigmoid before what rearranges its values: the same bits, and nothing else moved."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.builder.plan import Plan
from edge.graph.early_sigmoid import early_sigmoid


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return [np.asarray(value) for value in session.run(None, feeds)]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_sigmoids_of_the_network_follow_its_convolutions(
    precision: str, plan: Callable[..., Plan], rng: np.random.Generator
) -> None:
    frame = plan("openvino", precision).frame
    moved = early_sigmoid(frame)
    makers = {name: node.op_type for node in moved.graph.node for name in node.output}
    sigmoids = [node for node in moved.graph.node if node.op_type == "Sigmoid"]
    assert [makers[node.input[0]] for node in sigmoids] == ["Conv", "Conv"]
    feeds = {
        value.name: rng.integers(0, 256, [d.dim_value for d in value.type.tensor_type.shape.dim])
        .astype(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
        for value in frame.graph.input
    }  # fmt: skip
    for found, true in zip(run(moved, feeds), run(frame, feeds), strict=True):
        assert np.array_equal(found, true)
    assert early_sigmoid(moved) == moved


def graph(*nodes: str, outputs: tuple[str, ...] = ("y",)) -> onnx.ModelProto:
    """A graph from x, float32 [1, 2, 4, 6]; nodes as "Op inputs output"."""
    made, sides = [], ["n", "m"] if "Reshape" in str(nodes) else ["n", "c", "h", "w"]
    for text in nodes:
        op, *names = text.split()
        made.append(helper.make_node(op, names[:-1], names[-1:], name=names[-1]))
    info = helper.make_tensor_value_info
    model = helper.make_model(
        helper.make_graph(
            made,
            "graph",
            [info("x", TensorProto.FLOAT, [1, 2, 4, 6])],
            [info(name, TensorProto.FLOAT, sides) for name in outputs],
            [numpy_helper.from_array(np.array([1, 48]), "shape")],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
    )
    model.ir_version = 8
    return model


@pytest.mark.parametrize(
    "model,order",
    [
        (graph("Neg x n", "Transpose n t", "Reshape t shape r", "Sigmoid r y"),
         ["Neg", "Sigmoid", "Transpose", "Reshape"]),
        (graph("Neg x n", "Transpose n t", "Sigmoid t s", "Transpose s u", "Sigmoid u y"),
         ["Neg", "Sigmoid", "Sigmoid", "Transpose", "Transpose"]),
        (graph("Transpose x t", "Sigmoid t y"), None),  # nothing computes before
        (graph("Neg x n", "Transpose n t", "Sigmoid t s", "Add s t y"), None),  # t is read twice
        (graph("Neg x n", "Transpose n t", "Sigmoid t y", outputs=("y", "t")), None),
        (graph("Neg x n", "Sigmoid n s", "Transpose s y"), None),
        (graph("Neg x n", "Softmax n t", "Sigmoid t y"), None),
    ],
)  # fmt: skip
def test_only_what_rearranges_for_the_sigmoid_alone_is_passed(
    model: onnx.ModelProto, order: list[str] | None, rng: np.random.Generator
) -> None:
    moved = early_sigmoid(model)
    kinds = [node.op_type for node in moved.graph.node]
    assert kinds == (order or [node.op_type for node in model.graph.node])
    feeds = {"x": rng.standard_normal((1, 2, 4, 6)).astype(np.float32)}
    for found, true in zip(run(moved, feeds), run(model, feeds), strict=True):
        assert np.array_equal(found, true)
