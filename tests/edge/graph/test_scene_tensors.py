"""Scene tensors as the kernels read them: the same bits, or those that float16 leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.builder.plan import Plan
from edge.graph.scene_tensors import ready_scene_tensors
from edge.samples.sample import Sample
from tests.images import images

Arrays = dict[str, Any]


def run(model: onnx.ModelProto, feeds: Arrays) -> Arrays:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    names = [output.name for output in session.get_outputs()]
    read = {value.name: feeds[value.name] for value in session.get_inputs()}
    return dict(zip(names, session.run(names, read), strict=True))


def types(graph: onnx.GraphProto) -> dict[str, tuple[int, list[int]]]:
    return {
        value.name: (
            value.type.tensor_type.elem_type,
            [side.dim_value for side in value.type.tensor_type.shape.dim],
        )
        for value in (*graph.input, *graph.output)
    }


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_results_are_the_same_bits(
    precision: str, plan: Callable[..., Plan], samples: list[Sample]
) -> None:
    made = plan("openvino", precision)
    assert made.split.background is not None
    background, frame = ready_scene_tensors(made.split.background, made.frame)
    assert types(frame.graph).keys() == types(made.frame.graph).keys()
    for sample in (samples[0], samples[4]):
        bg, fg_bg = images(sample.bg, sample.fg_bg), {"fg_bg": sample.fg_bg[None]}
        found = run(frame, fg_bg | run(background, bg))
        true = run(made.frame, fg_bg | run(made.split.background, bg))
        assert found.keys() == true.keys()
        assert all(np.array_equal(found[name], true[name]) for name in true)


@pytest.mark.parametrize("precision,float16", [("int8", True), ("int8", False), ("fp32", True)])
def test_tensors_of_convolutions_have_their_channels_last_and_others_stay(
    plan: Callable[..., Plan], precision: str, float16: bool
) -> None:
    made = plan("openvino", precision)
    assert made.split.background is not None
    background, frame = ready_scene_tensors(made.split.background, made.frame, float16)
    before, after = types(made.frame.graph), types(frame.graph)
    given = types(background.graph)
    halves = set()
    for name in made.split.scene:
        assert given[name] == after[name]
        kind, sides = after[name]
        if name == "scene_depth":  # the depth of the scene meets outputs, not layers
            assert after[name] == before[name]
            continue
        n, c, h, w = before[name][1]
        assert sides == [n, h, w, c]
        if kind == TensorProto.FLOAT16:
            halves.add(name)
        else:
            assert kind == TensorProto.FLOAT
    compared = {name for name in made.split.scene if name.startswith("relu")}
    assert halves == (compared if float16 and precision == "int8" else set())
    assert len(compared) == 4


def test_float16_is_all_that_changes_in_int8(
    plan: Callable[..., Plan], samples: list[Sample]
) -> None:
    """Against the graph as it was, with the rounding done in numpy."""
    int8 = plan("openvino", "int8")
    assert int8.split.background is not None
    background, frame = ready_scene_tensors(int8.split.background, int8.frame, float16=True)
    for sample in (samples[0], samples[4]):
        bg, fg_bg = images(sample.bg, sample.fg_bg), {"fg_bg": sample.fg_bg[None]}
        scene = run(int8.split.background, bg)
        for name in scene:
            if name.startswith("relu"):
                scene[name] = scene[name].astype(np.float16).astype(np.float32)
        true = run(int8.frame, fg_bg | scene)
        found = run(frame, fg_bg | run(background, bg))
        assert all(np.array_equal(found[name], true[name]) for name in true)


def graphs(*nodes: onnx.NodeProto) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """A background graph bg -> b, and a frame graph of the nodes from f, q (uint8) and b to y."""
    shape, float32 = [1, 2, 4, 6], TensorProto.FLOAT

    def model(
        nodes: list[onnx.NodeProto], inputs: list[str], output: str, **weights: Any
    ) -> onnx.ModelProto:
        kinds = {"q": TensorProto.UINT8}
        graph = helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info(n, kinds.get(n, float32), shape) for n in inputs],
            [helper.make_tensor_value_info(output, float32, shape)],
            [numpy_helper.from_array(np.array(value), name) for name, value in weights.items()],
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        made.ir_version = 8
        return made

    conv = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1] * 4)
    frame = model(
        [*nodes, conv], ["f", "q", "b"], "y",
        w=np.arange(36, dtype="f4").reshape(2, 2, 3, 3) / 36,
        scale=np.float32(0.1), zero=np.uint8(3), other=np.float32(0.2),
    )  # fmt: skip
    return model([helper.make_node("Sin", ["bg"], ["b"])], ["bg"], "b"), frame


def node(op: str, inputs: str, output: str) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), [output])


DEQUANTIZED = node("DequantizeLinear", "q scale zero", "d")


@pytest.mark.parametrize(
    "nodes,half",
    [
        ([DEQUANTIZED, node("Sub", "d b", "x")], True),
        ([DEQUANTIZED, node("Sub", "b d", "x")], True),
        ([DEQUANTIZED, node("DequantizeLinear", "q other zero", "e"), node("Sub", "d b", "s"),
          node("Sub", "b e", "t"), node("Add", "s t", "x")], True),
        ([DEQUANTIZED, node("Add", "d b", "x")], False),
        ([DEQUANTIZED, node("Sub", "d b", "s"), node("Add", "s b", "x")], False),
        ([DEQUANTIZED, node("Sub", "d b", "s"), node("Sub", "f b", "t"), node("Add", "s t", "x")],
         False),
        ([node("Sub", "f b", "x")], False),
        ([node("Sub", "b f", "x")], False),
        ([node("Sub", "f b", "s"), node("Sub", "b f", "t"), node("Mul", "s t", "x")], False),
    ],
    ids=str,
)  # fmt: skip
def test_only_differences_from_int8_tensors_are_float16(
    nodes: list[onnx.NodeProto], half: bool, rng: np.random.Generator
) -> None:
    before = graphs(*nodes)
    background, frame = ready_scene_tensors(*before, float16=True)
    shape = (1, 2, 4, 6)
    feeds = {"f": rng.random(shape, np.float32), "q": rng.integers(0, 256, shape, np.uint8)}
    bg = {"bg": rng.random(shape, np.float32)}
    scene, plain = run(background, bg), run(before[0], bg)
    assert scene["b"].dtype == (np.float16 if half else np.float32)
    assert scene["b"].shape == (1, 4, 6, 2)
    if half:
        plain["b"] = plain["b"].astype(np.float16).astype(np.float32)
    found, true = run(frame, feeds | scene)["y"], run(before[1], feeds | plain)["y"]
    assert np.array_equal(found, true)


def test_a_difference_from_itself_keeps_its_sign(rng: np.random.Generator) -> None:
    before = graphs(node("Sub", "b b", "z"), node("Add", "z f", "x"))
    background, frame = ready_scene_tensors(*before)
    feeds = {"f": rng.random((1, 2, 4, 6), np.float32), "q": np.zeros((1, 2, 4, 6), np.uint8)}
    bg = {"bg": rng.random((1, 2, 4, 6), np.float32)}
    found = run(frame, feeds | run(background, bg))["y"]
    assert np.array_equal(found, run(before[1], feeds | run(before[0], bg))["y"])


def test_a_tensor_without_a_convolution_stays() -> None:
    before = graphs(node("Identity", "f", "x"), node("Sub", "f b", "unread"))
    after = ready_scene_tensors(*before)
    assert [model.graph for model in after] == [model.graph for model in before]


def test_the_depth_of_the_scene_stays_for_the_programs_that_read_it() -> None:
    """Where layers read it, too; any other tensor would change."""
    before = graphs(node("Sub", "f b", "x"))
    assert ready_scene_tensors(*before)[0].graph != before[0].graph
    for model in before:
        for each in (*model.graph.input, *model.graph.output):
            each.name = "scene_depth" if each.name == "b" else each.name
        for made in model.graph.node:
            made.input[:] = ["scene_depth" if name == "b" else name for name in made.input]
            made.output[:] = ["scene_depth" if name == "b" else name for name in made.output]
    after = ready_scene_tensors(*before)
    assert [model.graph for model in after] == [model.graph for model in before]
