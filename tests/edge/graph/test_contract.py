"""What a network of the user's must be, and what is put right by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import edge
from edge.builder.write import planned, write
from edge.errors import EdgeError
from edge.graph.contract import conform
from edge.targets.table import TARGETS

Change = Callable[[onnx.ModelProto], None]


def changed(network: onnx.ModelProto, change: Change) -> onnx.ModelProto:
    copy = onnx.ModelProto.FromString(network.SerializeToString())
    change(copy)
    return copy


def open_batch(model: onnx.ModelProto) -> None:
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    del model.graph.value_info[:]


def test_one_that_keeps_it_is_left_alone(network: onnx.ModelProto) -> None:
    assert conform(network) is network


@pytest.mark.parametrize("target", ["onnxruntime", "openvino"])
def test_an_open_batch_becomes_one(
    target: str, network: onnx.ModelProto, tmp_path: Path, rng: np.random.Generator
) -> None:
    model = conform(changed(network, open_batch))
    plan = planned(model, "net", TARGETS[target], "fp32", "edge build")
    assert write(plan, tmp_path / "a", time.monotonic()).fold["frame_macs"] > 1e6
    bg, frame = rng.integers(0, 256, (2, 64, 64, 3), np.uint8)
    session = onnxruntime.InferenceSession(network.SerializeToString())
    true = session.run(["mask", "depth"], {"bg": bg[None], "fg_bg": frame[None]})
    with edge.open(tmp_path / "a", 1) as h:
        edge.set_background(h, bg)
        for plane, expected in zip(edge.infer(h, frame), true, strict=True):
            assert np.abs(plane - expected[0, 0]).max() < 1e-4


def batch_of_four(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4


def other_output(model: onnx.ModelProto) -> None:
    model.graph.node.add(op_type="Identity", input=["mask"], output=["edges"])
    model.graph.output.add().CopyFrom(model.graph.output[0])
    model.graph.output[-1].name = "edges"


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


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (batch_of_four, r"uint8 \[4, 64, 64, 3\], expected uint8 \[1, 64, 64, 3\]"),
        (other_output, "output edges is none of mask, depth"),
        (other_input, "input lidar is none of bg, fg_bg"),
        (other_layout, r"is float \[1, 64, 64, 1\], expected float \[1, 1, 64, 64\]"),
        (other_type, r"is uint8 \[1, 1, 64, 64\], expected float \[1, 1, 64, 64\]"),
        (open_height, r"uint8 \[1, \?, 64, 3\], expected .* of fixed height"),
    ],
)
def test_what_breaks_it_is_said(change: Change, told: str, network: onnx.ModelProto) -> None:
    with pytest.raises(EdgeError, match=told):
        conform(changed(network, change))
