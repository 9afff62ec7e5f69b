"""Scene tensors as the kernels read them: the same numbers, or those of one more rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.builder.plan import Plan
from edge.graph.fold import split
from edge.graph.scene_tensors import ready_scene_tensors
from edge.samples.sample import Sample

Arrays = dict[str, Any]


def run(model: onnx.ModelProto, feeds: Arrays) -> Arrays:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def types(graph: onnx.GraphProto) -> dict[str, tuple[int, list[int]]]:
    return {
        value.name: (
            value.type.tensor_type.elem_type,
            [side.dim_value for side in value.type.tensor_type.shape.dim],
        )
        for value in (*graph.input, *graph.output)
    }


def test_a_float_network_gives_the_same_bits(
    network: onnx.ModelProto, samples: list[Sample]
) -> None:
    parts = split(network)
    assert parts.background is not None
    background, frame = ready_scene_tensors(parts.background, parts.frame)
    assert {v.name for v in frame.graph.input} == {v.name for v in parts.frame.graph.input}
    for sample in (samples[0], samples[4]):
        bg, fg_bg = {"bg": sample.bg[None]}, {"fg_bg": sample.fg_bg[None]}
        found = run(frame, fg_bg | run(background, bg))
        true = run(parts.frame, fg_bg | run(parts.background, bg))
        assert found.keys() == true.keys()
        assert all(np.array_equal(found[name], true[name]) for name in true)


def test_tensors_of_convolutions_have_their_channels_last_and_others_stay(
    plan: Callable[..., Plan],
) -> None:
    int8 = plan("openvino", "int8")
    assert int8.split.background is not None
    background, frame = ready_scene_tensors(int8.split.background, int8.frame)
    before, after = types(int8.frame.graph), types(frame.graph)
    given = types(background.graph)
    kinds = set()
    for name in int8.split.scene:
        assert given[name] == after[name]
        kind, sides = after[name]
        if name == "view_3":  # the depth of the scene meets outputs, not layers
            assert after[name] == before[name]
            continue
        n, c, h, w = before[name][1]
        assert sides == [n, h, w, c]
        kinds.add((name.startswith("relu"), kind))
    assert kinds == {(True, TensorProto.UINT8), (False, TensorProto.FLOAT)}


def test_an_int8_difference_has_one_rounding_more_and_no_other_change(
    plan: Callable[..., Plan], samples: list[Sample]
) -> None:
    """Against the graph as it was, with the rounding done in numpy."""
    int8 = plan("openvino", "int8")
    assert int8.split.background is not None
    background, frame = ready_scene_tensors(int8.split.background, int8.frame)
    weights = {w.name: numpy_helper.to_array(w) for w in int8.frame.graph.initializer}
    rounded = 0
    for sample in (samples[0], samples[4]):
        bg, fg_bg = {"bg": sample.bg[None]}, {"fg_bg": sample.fg_bg[None]}
        scene = run(int8.split.background, bg)
        for node in int8.frame.graph.node:
            if node.op_type == "Sub" and node.input[1].startswith("relu"):
                other = node.input[0].removesuffix(".dq")
                scale, zero = weights[f"{other}.scale"], int(weights[f"{other}.zero"])
                steps = np.clip(np.round(scene[node.input[1]] / scale) + zero, 0, 255)
                scene[node.input[1]] = ((steps - zero) * scale).astype(np.float32)
                rounded += 1
        true = run(int8.frame, fg_bg | scene)
        found = run(frame, fg_bg | run(background, bg))
        for name in true:
            assert np.abs(found[name] - true[name]).max() < 1e-6
    assert rounded == 8


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
    "nodes,quantized",
    [
        ([DEQUANTIZED, node("Sub", "d b", "x")], True),
        ([DEQUANTIZED, node("Sub", "b d", "x")], True),
        ([DEQUANTIZED, node("Add", "d b", "x")], False),
        ([DEQUANTIZED, node("Sub", "d b", "s"), node("Add", "s b", "x")], False),
        ([DEQUANTIZED, node("Sub", "d b", "s"), node("Sub", "f b", "t"), node("Add", "s t", "x")],
         False),
        ([DEQUANTIZED, node("DequantizeLinear", "q other zero", "e"), node("Sub", "d b", "s"),
          node("Sub", "e b", "t"), node("Add", "s t", "x")], False),
        ([node("Sub", "f b", "x")], False),
        ([node("Sub", "b f", "x")], False),
        ([node("Sub", "b b", "z"), node("Add", "z f", "x")], False),
    ],
    ids=str,
)  # fmt: skip
def test_only_differences_from_one_int8_tensor_are_quantized(
    nodes: list[onnx.NodeProto], quantized: bool, rng: np.random.Generator
) -> None:
    before = graphs(*nodes)
    background, frame = ready_scene_tensors(*before)
    shape = (1, 2, 4, 6)
    feeds = {"f": rng.random(shape, np.float32), "q": rng.integers(0, 256, shape, np.uint8)}
    bg = {"bg": rng.random(shape, np.float32)}
    scene, plain = run(background, bg), run(before[0], bg)
    assert scene["b"].dtype == (np.uint8 if quantized else np.float32)
    assert scene["b"].shape == (1, 4, 6, 2)
    if quantized:
        steps = np.round(plain["b"] / np.float32(0.1)) + 3
        assert np.array_equal(scene["b"], steps.transpose(0, 2, 3, 1))
        plain["b"] = ((steps - 3) * np.float32(0.1)).astype(np.float32)
    found, true = run(frame, feeds | scene)["y"], run(before[1], feeds | plain)["y"]
    assert np.abs(found - true).max() < 1e-5 if quantized else np.array_equal(found, true)


def test_a_tensor_without_a_convolution_stays() -> None:
    before = graphs(node("Identity", "f", "x"), node("Sub", "f b", "unread"))
    after = ready_scene_tensors(*before)
    assert [model.graph for model in after] == [model.graph for model in before]
