"""Networks in half and double precision, with the values of the same network in float32."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.calibrate.pipeline import BuildRequest, plan
from edge.graph.contract import conform
from edge.graph.float32 import with_float32
from edge.samples.sample import Sample
from tests.edge.graph.exporters import small_network
from tests.edge.graph.test_fold import run
from tests.images import images


def in_precision(kind: int, outputs_too: bool) -> onnx.ModelProto:
    """The small network with weights and tensors of another precision."""
    model = small_network()
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight).astype(dtype)
        weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    for node in model.graph.node:
        if node.op_type == "Cast":
            node.attribute[0].i = kind
    for value in model.graph.output:
        if outputs_too:
            value.type.tensor_type.elem_type = kind
            continue
        maker = next(node for node in model.graph.node if node.output[0] == value.name)
        maker.output[0] += ".narrow"
        model.graph.node.append(
            helper.make_node("Cast", [maker.output[0]], [value.name], to=TensorProto.FLOAT)
        )
    onnx.checker.check_model(model)
    return model


@pytest.mark.parametrize("outputs_too", [False, True])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_it_builds_in_int8_like_float32(
    kind: int, outputs_too: bool, samples: list[Sample]
) -> None:
    model = conform(in_precision(kind, outputs_too))
    assert {w.data_type for w in model.graph.initializer} == {TensorProto.FLOAT}
    feeds = images(samples[0].bg, samples[0].fg_bg)
    truth = run(small_network(), feeds)
    for name, values in run(model, feeds).items():
        np.testing.assert_allclose(values, truth[name], atol=2e-3)
    request = BuildRequest(network="net", target="onnxruntime", precision="int8")
    frame = plan(request, network=model, samples=samples).frame
    reference = plan(request, network=small_network(), samples=samples).frame
    kinds = [[n.op_type for n in g.graph.node] for g in (frame, reference)]
    assert kinds[0].count("QuantizeLinear") == kinds[1].count("QuantizeLinear") > 0


def test_types_in_attributes_and_subgraphs_are_converted() -> None:
    half = TensorProto.FLOAT16
    zero = helper.make_tensor("zero", half, [1], [0.0])
    info = helper.make_tensor_value_info
    branch = helper.make_graph(
        [helper.make_node("ConstantOfShape", ["s"], ["b"], value=zero)],
        "branch", [], [info("b", half, [2])],
    )  # fmt: skip
    nodes = [
        helper.make_node("If", ["p"], ["h"], "if", then_branch=branch, else_branch=branch),
        helper.make_node("RandomNormalLike", ["h"], ["r"], "noise", dtype=half),
        helper.make_node("Cast", ["r"], ["y"], "int", to=TensorProto.INT32),
    ]
    inputs = [info("p", TensorProto.BOOL, []), info("s", TensorProto.INT64, [1])]
    graph = helper.make_graph(nodes, "net", inputs, [info("y", TensorProto.INT32, [2])])
    model = with_float32(helper.make_model(graph))
    assert str(half) not in [str(a.i) for n in model.graph.node for a in n.attribute if a.i]
    for attribute in model.graph.node[0].attribute:
        assert attribute.g.node[0].attribute[0].t.data_type == TensorProto.FLOAT
        assert attribute.g.output[0].type.tensor_type.elem_type == TensorProto.FLOAT
    assert model.graph.node[2].attribute[0].i == TensorProto.INT32
    onnx.shape_inference.infer_shapes(model, strict_mode=True)
    assert with_float32(model) is model
