"""The contract of a network: what is brought into form, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

import edge
from edge.bundled import bundled, names
from edge.calibrate.pipeline import BuildRequest, build
from edge.errors import EdgeError
from edge.graph.contract import conform, unbounded_outputs
from edge.graph.opset import NEWEST, OLDEST, opset_of
from edge.samples.sample import Sample
from tests.edge.graph.exporters import Change, changed, open_batch, small_network
from tests.images import taken


@pytest.mark.parametrize("name", names())
def test_a_conforming_network_is_left_alone(name: str) -> None:
    model = onnx.load(bundled(name))
    assert conform(model) is model


@pytest.mark.parametrize("target", ["onnxruntime", "openvino"])
def test_an_open_batch_becomes_one(
    target: str,
    network: onnx.ModelProto,
    samples: list[Sample],
    tmp_path: Path,
    rng: np.random.Generator,
) -> None:
    def opened(model: onnx.ModelProto) -> None:
        open_batch(model)
        del model.graph.value_info[:]

    model = conform(changed(network, opened))
    request = BuildRequest(network="net", target=target, precision="fp32")
    manifest = build(request, tmp_path / "a", network=model, samples=samples)
    assert manifest.fold["frame_macs"] > 1e6
    bg, frame = rng.integers(0, 256, (2, 64, 64, 3), np.uint8)
    session = onnxruntime.InferenceSession(network.SerializeToString())
    true = session.run(["mask", "depth"], taken(session, bg, frame))
    with edge.open(tmp_path / "a", 1) as h:
        edge.set_background(h, bg)
        for plane, expected in zip(edge.infer(h, frame), true, strict=True):
            assert np.abs(plane - expected[0, 0]).max() < 1e-4


@pytest.mark.parametrize(
    ("opset", "expected"), [(9, OLDEST), (12, OLDEST), (13, 13), (17, 17), (21, 21), (24, NEWEST)]
)
def test_other_opsets_are_converted(opset: int, expected: int) -> None:
    assert opset_of(conform(small_network(opset))) == expected


def batch_of_four(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4


def other_output(model: onnx.ModelProto) -> None:
    model.graph.node.add(op_type="Identity", name="id", input=["mask"], output=["edges"])
    model.graph.output.add().CopyFrom(model.graph.output[0])
    model.graph.output[-1].name = "edges"


def spread_alone(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = "spread"
    for node in model.graph.node:
        node.input[:] = ["spread" if name == "bg" else name for name in node.input]


def other_input(model: onnx.ModelProto) -> None:
    model.graph.input.add().CopyFrom(model.graph.input[0])
    model.graph.input[-1].name = "lidar"


def other_layout(model: onnx.ModelProto) -> None:
    sides = model.graph.output[0].type.tensor_type.shape.dim
    sides[1].dim_value, sides[3].dim_value = 64, 1


def other_type(model: onnx.ModelProto) -> None:
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8


def open_height(model: onnx.ModelProto) -> None:
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[1].dim_param = "H"


def other_domain(model: onnx.ModelProto) -> None:
    model.graph.node[8].domain, model.graph.node[8].op_type = "my.ops", "MyOp"
    model.opset_import.append(helper.make_opsetid("my.ops", 1))


def future_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 99


def no_adapter(model: onnx.ModelProto) -> None:
    """An operator of another shape in opset 13, which the converter cannot rewrite."""
    model.opset_import[0].version = 8
    model.graph.node[8].op_type = "Upsample"


def without_sigmoid(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        if node.op_type == "Sigmoid" and node.output[0] == "mask":
            node.op_type = "Identity"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (batch_of_four, r"uint8 \[4, 64, 64, 3\], expected uint8 \[1, 64, 64, 3\]"),
        (other_output, "output edges is none of mask, depth"),
        (other_input, "input lidar is none of bg, spread, fg_bg"),
        (spread_alone, "takes `spread` without `bg`"),
        (other_layout, r"is float \[1, 64, 64, 1\], expected float \[1, 1, 64, 64\]"),
        (other_type, r"is uint8 \[1, 1, 64, 64\], expected float \[1, 1, 64, 64\]"),
        (open_height, r"uint8 \[1, \?, 64, 3\], expected .* of fixed height"),
        (other_domain, r"my\.ops\.MyOp is no operator of the ONNX standard; export"),
        (future_opset, r"opset 99 is newer than the installed onnx .* knows"),
        (no_adapter, r"opset 8 cannot be converted to 13: .*; export .* opset from 13 to 21"),
        (without_sigmoid, r"mask are not limited to 0\.\.1; append a Sigmoid"),
    ],
)
def test_a_breach_is_named(change: Change, told: str) -> None:
    model = onnx.ModelProto.FromString(small_network().SerializeToString())
    change(model)
    with pytest.raises(EdgeError, match=told):
        conform(model)


def ending(*ops: str | tuple[str, list[str]], weight: float = -1.0) -> onnx.ModelProto:
    """mask from `r3` (8 channels) through Conv with one negative weight and then `ops`."""
    model = small_network()
    graph = model.graph
    kernel = np.full((1, 8, 1, 1), weight, np.float32)
    for w in graph.initializer:
        if w.name == "w4":
            w.CopyFrom(numpy_helper.from_array(kernel, "w4"))
    graph.initializer.append(numpy_helper.from_array(np.array(0.5, np.float32), "half"))
    sigmoid = next(n for n in graph.node if n.output[0] == "mask")
    graph.node.remove(sigmoid)
    name = "m"
    for position, op in enumerate(ops):
        kind, more = op if isinstance(op, tuple) else (op, [])
        output = "mask" if position == len(ops) - 1 else f"e{position}"
        inputs = [output_of(source, name) for source in more] or [name]
        graph.node.append(helper.make_node(kind, inputs, [output], f"end{position}"))
        name = output
    return model


def output_of(source: str, name: str) -> str:
    return name if source == "." else source


@pytest.mark.parametrize(
    ("ops", "unbounded"),
    [
        (["Identity"], True),
        (["Relu"], True),
        (["LeakyRelu"], True),
        ([("Mul", [".", "half"])], True),
        ([("Add", [".", "half"]), "Identity"], True),
        ([("Sub", ["half", "."])], True),
        (["Sigmoid"], False),
        (["HardSigmoid"], False),
        (["Softmax"], False),
        (["Tanh"], False),
        (["Clip"], False),
        (["Sigmoid", "Identity", ("Mul", [".", "half"])], False),
        (["Sigmoid", ("Sub", ["half", "."])], False),
        (["Exp", "Reciprocal"], False),
        ([("Div", [".", "c2"])], False),
        ([("Sub", [".", "half"]), "Relu", ("Sub", ["half", "."]), "Relu"], False),
        (["Sigmoid", ("Conv", [".", "kernel"])], False),
    ],
)
def test_only_certainly_unbounded_outputs_are_named(
    ops: list[str | tuple[str, list[str]]], unbounded: bool
) -> None:
    model = ending(*ops)
    blur = np.full((1, 1, 3, 3), 1 / 9, np.float32)
    model.graph.initializer.append(numpy_helper.from_array(blur, "kernel"))
    assert unbounded_outputs(model) == (["mask"] if unbounded else [])
