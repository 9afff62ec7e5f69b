"""One network, however an exporter wrote it: the same values in float, and built in int8."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.calibrate.pipeline import BuildRequest, plan
from edge.graph.constants import with_initializers
from edge.graph.contract import conform
from edge.graph.names import with_unique_names
from edge.graph.trt_ready import trt_ready
from edge.samples.sample import Sample
from tests.edge.graph.exporters import small_network, variants
from tests.edge.graph.test_fold import run

VARIANTS = variants()


def feeds_of(sample: Sample) -> dict[str, np.ndarray]:
    return {"bg": sample.bg[None], "fg_bg": sample.fg_bg[None]}


@pytest.mark.parametrize("name", VARIANTS)
def test_every_way_of_writing_it_keeps_the_values(name: str, samples: list[Sample]) -> None:
    model = conform(VARIANTS[name])
    onnx.checker.check_model(model)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds == [node.op_type for node in small_network().graph.node]
    assert [value.name for value in model.graph.input] == ["bg", "fg_bg"]
    # ONNX Runtime refuses nodes of one name.
    expected = run(with_unique_names(VARIANTS[name]), feeds_of(samples[0]))
    for output, values in run(model, feeds_of(samples[0])).items():
        np.testing.assert_allclose(values, expected[output], atol=1e-6)


@pytest.mark.parametrize("target", ["onnxruntime", "tensorrt"])
@pytest.mark.parametrize("name", VARIANTS)
def test_every_way_of_writing_it_quantizes(name: str, target: str, samples: list[Sample]) -> None:
    request = BuildRequest(network="net", target=target, precision="int8")
    frame = plan(request, network=conform(VARIANTS[name]), samples=samples).frame
    reference = plan(request, network=small_network(), samples=samples).frame
    for kind in ("QuantizeLinear", "DequantizeLinear", "Conv", "ConvTranspose"):
        counts = [[n.op_type for n in g.graph.node].count(kind) for g in (frame, reference)]
        assert counts[0] == counts[1]
    if target == "tensorrt":
        assert trt_ready(frame) == []


def test_int8_is_close_to_float(samples: list[Sample]) -> None:
    model = conform(VARIANTS["opset9_listed_unnamed"])
    request = BuildRequest(network="net", target="onnxruntime", precision="int8")
    build = plan(request, network=model, samples=samples)
    assert build.split.background is not None
    feeds = feeds_of(samples[0])
    scene = run(build.split.background, feeds)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(build.frame.SerializeToString(), options)
    names = [value.name for value in session.get_inputs()]
    results = session.run(["mask", "depth"], {n: (feeds | scene)[n] for n in names})
    for values, name in zip(results, ("mask", "depth"), strict=True):
        assert np.abs(values - run(model, feeds)[name]).max() < 0.05


def test_a_quantized_weight_stays_quantized() -> None:
    weights = [
        numpy_helper.from_array(np.ones((1, 3, 1, 1), np.int8), "w.q"),
        numpy_helper.from_array(np.array(0.1, np.float32), "w.scale"),
    ]
    nodes = [
        helper.make_node("Identity", ["w.scale"], ["scale"], "id"),
        helper.make_node("DequantizeLinear", ["w.q", "scale"], ["w"], "dq"),
        helper.make_node("Conv", ["x", "w"], ["y"], "conv"),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "net",
        [info("x", TensorProto.FLOAT, [1, 3, 4, 4])],
        [info("y", TensorProto.FLOAT, [1, 1, 4, 4])],
        weights,
    )
    model = with_initializers(helper.make_model(graph))
    assert [node.op_type for node in model.graph.node] == ["DequantizeLinear", "Conv"]


def test_a_constant_that_is_an_output_stays_a_node() -> None:
    constant = helper.make_node("Constant", [], ["y"], "c", value_floats=[1.0, 2.0])
    info = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])
    model = helper.make_model(helper.make_graph([constant], "net", [], [info]))
    assert with_initializers(model) is model


def test_a_weight_that_a_subgraph_reads_is_kept() -> None:
    info = helper.make_tensor_value_info
    out = [info("b", TensorProto.FLOAT, [2])]
    branch = helper.make_graph([helper.make_node("Add", ["x", "w"], ["b"])], "branch", [], out)
    nodes = [
        helper.make_node("Constant", [], ["w"], "c", value_floats=[1.0, 2.0]),
        helper.make_node("If", ["p"], ["y"], "if", then_branch=branch, else_branch=branch),
    ]
    inputs = [info("p", TensorProto.BOOL, []), info("x", TensorProto.FLOAT, [2])]
    graph = helper.make_graph(nodes, "net", inputs, [info("y", TensorProto.FLOAT, [2])])
    model = with_initializers(helper.make_model(graph))
    assert [w.name for w in model.graph.initializer] == ["w"]
    onnx.checker.check_model(model)
