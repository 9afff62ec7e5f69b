"""What the CPU runtimes really run in int8, asked of the runtimes themselves."""

from __future__ import annotations

from pathlib import Path

import onnx
import openvino as ov
import pytest

from edge import manifest as manifests


def ops(file: Path) -> list[str]:
    return [node.op_type for node in onnx.load(file).graph.node]


def test_openvino_runs_every_layer_in_int8(builds) -> None:
    found = manifests.read(builds("openvino", "int8"))
    assert (found.layers, found.int8_layers) == (13, 13)
    assert "ConvTranspose" in ops(builds("openvino", "int8") / "frame.onnx")


def test_onnxruntime_runs_every_convolution_in_int8(builds) -> None:
    """It has no int8 kernel for the four transposed ones."""
    found = manifests.read(builds("onnxruntime", "int8"))
    assert (found.layers, found.int8_layers) == (13, 9)


@pytest.mark.parametrize("target", ["openvino", "onnxruntime"])
def test_fp32_has_no_int8(target: str, builds) -> None:
    assert manifests.read(builds(target, "fp32")).int8_layers == 0


def test_fp32_of_openvino_says_f32_outright(builds) -> None:
    """Without the hint OpenVINO computes "FP32" in bfloat16 on CPUs that can."""
    assert manifests.read(builds("openvino", "fp32")).options == {"inference_precision": "f32"}
    assert manifests.read(builds("openvino", "bf16")).options == {"inference_precision": "bf16"}


def test_fp16_weights_take_half_the_bytes(builds) -> None:
    full = (builds("openvino", "fp32") / "frame.bin").stat().st_size
    half = (builds("openvino", "fp16") / "frame.bin").stat().st_size
    assert half < 0.6 * full
    ov.Core().read_model(builds("openvino", "fp16") / "frame.xml")
