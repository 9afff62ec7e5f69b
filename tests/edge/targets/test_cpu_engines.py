"""What the CPU runtimes really run in int8, asked of the runtimes themselves."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from edge import manifest as manifests
from edge.builder.plan import Plan
from edge.runtime.backends.openvino import core


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
    core().read_model(builds("openvino", "fp16") / "frame.xml")


def test_building_reports_to_nobody(plan: Callable[..., Plan], tmp_path: Path) -> None:
    """Importing OpenVINO, and its converter, would fork processes that call its maker."""
    onnx.save(plan("openvino", "int8").frame, tmp_path / "frame.onnx")
    code = f"""
import os, time
os.fork = lambda: os._exit(9)
from pathlib import Path
from edge.targets import get
get("openvino").make_engine(Path({str(tmp_path)!r}), "int8", ())
time.sleep(1)  # reports are sent from a thread
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
