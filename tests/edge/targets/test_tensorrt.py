"""NVIDIA's real TensorRT-RTX builder, without a GPU: what builds, and what runs in int8."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from edge.builder.plan import Plan
from edge.builder.write import write_build
from edge.errors import EdgeError
from edge.targets.plans import build_plan
from edge.targets.tensorrt_rtx import count_layers, layers_of

pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")

SMS = (80, 86, 89, 120)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_one_plan_for_every_generation(
    precision: str, plan: Callable[..., Plan], tmp_path: Path
) -> None:
    manifest = write_build(plan("tensorrt-rtx", precision, sm=SMS), tmp_path / "build")
    for name in ("frame.engine", "background.engine"):
        assert (tmp_path / "build" / name).read_bytes()[1:4] == b"trt"
    assert manifest.sm == SMS
    assert manifest.layers is not None
    assert manifest.int8_layers == (manifest.layers if precision == "int8" else 0)


def test_bytes_come_out_of_the_plan(plan: Callable[..., Plan], tmp_path: Path) -> None:
    made = replace(plan("tensorrt-rtx", "int8", sm=(86,)), uint8_outputs=True)
    manifest = write_build(made, tmp_path / "build")
    assert [(t.name, t.dtype) for t in manifest.outputs] == [
        ("mask_u8", "uint8"),
        ("depth_u8", "uint8"),
    ]
    assert manifest.int8_layers == manifest.layers


@pytest.mark.parametrize("sm", SMS)
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_each_generation(
    sm: int, precision: str, plan: Callable[..., Plan], tmp_path: Path
) -> None:
    """The listing inside the plan shows in what every convolution computes."""
    onnx.save(plan("tensorrt-rtx", precision).frame, tmp_path / "frame.onnx")
    layers = layers_of(build_plan(tmp_path / "frame.onnx", "tensorrt_rtx", [sm]))
    expected = {"fp32": "float", "fp16": "half", "int8": "int8"}[precision]
    assert len(layers) == 13
    assert {kinds[:2] for kinds in layers.values()} == {(expected, expected)}


def test_a_transposed_convolution_never_runs_in_int8(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    """The reason for depth_to_space: TensorRT-RTX keeps a ConvTranspose in float."""
    from edge.calibrate.observe import histograms
    from edge.calibrate.qdq import SCHEMES, quantize
    from edge.calibrate.rendering.samples import Rendered

    parts = plan("tensorrt-rtx", "fp32").split
    rendered = Rendered(2, (64, 64))
    found = histograms(parts, [rendered[0], rendered[1]], threads=1, needs_bins=False)
    ranges = {name: (h.low, h.high) for name, h in found.items()}
    onnx.save(quantize(parts.frame, ranges, SCHEMES["s8"]), tmp_path / "kept.onnx")
    transposed = sum(node.op_type == "ConvTranspose" for node in parts.frame.graph.node)
    assert transposed
    plan_bytes = build_plan(tmp_path / "kept.onnx", "tensorrt_rtx", [86])
    assert count_layers(plan_bytes) == (13, 13 - transposed)


def test_the_builders_own_words_reach_the_user(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"not a network")
    with pytest.raises(EdgeError, match=r"tensorrt_rtx cannot read net\.onnx"):
        build_plan(tmp_path / "net.onnx", "tensorrt_rtx")


@pytest.mark.gpu
def test_a_plan_loads_on_this_gpu(plan: Callable[..., Plan], tmp_path: Path) -> None:
    import tensorrt_rtx as trt

    onnx.save(plan("tensorrt-rtx", "int8").frame, tmp_path / "frame.onnx")
    data = build_plan(tmp_path / "frame.onnx", "tensorrt_rtx")
    engine = trt.Runtime(trt.Logger()).deserialize_cuda_engine(data)
    assert engine is not None
    names = {engine.get_tensor_name(i) for i in range(engine.num_io_tensors)}
    assert {"fg_bg", "mask", "depth"} <= names
