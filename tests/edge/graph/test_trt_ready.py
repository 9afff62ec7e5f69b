"""The check names what TensorRT refuses; TensorRT-RTX confirms it where it is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.errors import EdgeError
from edge.graph.trt_ready import trt_ready


def quantized(
    zero: np.ndarray | None, scale_type: type = np.float32, opset: int = 20, bias: bool = False
) -> onnx.ModelProto:
    """x -> Q -> DQ -> Conv with weights behind a DQ."""
    keys = ["scale"] + (["zero"] if zero is not None else [])
    weights = [
        numpy_helper.from_array(np.array(0.1, scale_type), "scale"),
        numpy_helper.from_array(np.ones((2, 3, 1, 1), np.int8), "w.q"),
        numpy_helper.from_array(np.array(0.1, scale_type), "w.scale"),
        numpy_helper.from_array(np.array(0, np.int8), "w.zero"),
        numpy_helper.from_array(np.array([5, 7], np.int32), "b.q"),
        numpy_helper.from_array(np.array(0, np.int32), "b.zero"),
    ]
    if zero is not None:
        weights.append(numpy_helper.from_array(zero, "zero"))
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(scale_type))
    nodes = [
        helper.make_node("QuantizeLinear", ["x", *keys], ["q"], "x.quantize"),
        helper.make_node("DequantizeLinear", ["q", *keys], ["dq"], "x.dequantize"),
        helper.make_node("DequantizeLinear", ["w.q", "w.scale", "w.zero"], ["w"], "w.dequantize"),
    ]
    inputs = ["dq", "w"]
    if bias:
        nodes.append(
            helper.make_node(
                "DequantizeLinear", ["b.q", "w.scale", "b.zero"], ["b"], "b.dequantize"
            )
        )
        inputs.append("b")
    nodes.append(helper.make_node("Conv", inputs, ["y"], "conv"))
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", kind, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", kind, [1, 2, 8, 8])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


REFUSED = {
    "uint8": (quantized(np.array(0, np.uint8)), "uint8, expected int8"),
    "no zero point": (quantized(None), "uint8, expected int8"),
    "zero point": (quantized(np.array(3, np.int8)), "zero point is not 0"),
    "int32 bias": (quantized(np.array(0, np.int8), bias=True), "int32 bias"),
    "uint8 with a zero point": (quantized(np.array(128, np.uint8)), "uint8, expected int8"),
}
TAKEN_BY_RTX = {"uint8", "no zero point"}
"""TensorRT-RTX 1.7 accepts uint8 with zero point 0; TensorRT does not, and both get one graph."""


@pytest.mark.parametrize("case", REFUSED)
def test_whatever_tensorrt_refuses_is_named(case: str) -> None:
    model, words = REFUSED[case]
    assert any(words in reason for reason in trt_ready(model)), trt_ready(model)


@pytest.mark.parametrize("case", sorted(REFUSED.keys() - TAKEN_BY_RTX))
def test_tensorrt_rtx_refuses_it_too(case: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx")
    from edge.targets.plans import build_plan

    onnx.save(REFUSED[case][0], tmp_path / "net.onnx")
    with pytest.raises(EdgeError, match=r"cannot (read|build) net\.onnx"):
        build_plan(tmp_path / "net.onnx", "tensorrt_rtx", [86])


def test_a_symmetric_graph_is_ready_and_builds(tmp_path: Path) -> None:
    model = quantized(np.array(0, np.int8))
    assert trt_ready(model) == []
    pytest.importorskip("tensorrt_rtx")
    from edge.targets.plans import build_plan

    onnx.save(model, tmp_path / "net.onnx")
    assert build_plan(tmp_path / "net.onnx", "tensorrt_rtx", [86])[1:4] == b"trt"


def test_float16_scales_need_opset_19() -> None:
    old = quantized(np.array(0, np.int8), np.float16, opset=17)
    assert any("opset 17, expected opset 19" in reason for reason in trt_ready(old))
    assert trt_ready(quantized(np.array(0, np.int8), np.float16, opset=19)) == []


def test_uint8_inside_the_graph_is_refused() -> None:
    graph = helper.make_graph(
        [
            helper.make_node("Transpose", ["fg_bg"], ["t"], "chw", perm=[0, 3, 1, 2]),
            helper.make_node("Cast", ["t"], ["y"], "cast", to=TensorProto.FLOAT),
        ],
        "net",
        [helper.make_tensor_value_info("fg_bg", TensorProto.UINT8, [1, 4, 4, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 4, 4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    assert any("expected a Cast right after the input" in reason for reason in trt_ready(model))
