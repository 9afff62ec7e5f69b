"""OpenVINO's IR: frame.xml and frame.bin beside the ONNX graphs they were made from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge.runtime.openvino import ov
from edge.targets.engine import BACKGROUND, FRAME, Engine
from edge.targets.table import Target

HINTS = {"fp32": "f32", "fp16": "f32", "bf16": "bf16", "int8": "f32"}
"""In what OpenVINO computes a graph of each precision, said outright: without a hint "FP32" is
bfloat16 on CPUs that can do it. fp16 halves the bytes of the weights; CPUs compute it in f32."""

LAYERS = {"Convolution", "Deconvolution"}
INT8 = {"i8", "u8"}


def make(folder: Path, target: Target, precision: str, sm: Sequence[int]) -> Engine:
    half = precision == "fp16"
    frame = _converted(folder / FRAME, half)
    background = folder / BACKGROUND
    layers, int8 = count_layers(frame, HINTS[precision])
    return Engine(
        frame.name,
        _converted(background, half).name if background.exists() else "",
        (frame.name, frame.with_suffix(".bin").name),
        ov.__version__.partition("-")[0],
        {"inference_precision": HINTS[precision]},
        layers,
        int8,
    )


def _converted(onnx_file: Path, half: bool) -> Path:
    """Write one graph as IR; returns its .xml (a .bin is beside it). half: weights as float16."""
    xml = onnx_file.with_suffix(".xml")
    ov.save_model(ov.Core().read_model(onnx_file), xml, compress_to_fp16=half)
    return xml


def count_layers(xml: Path, hint: str) -> tuple[int, int]:
    """(layers with weights, those in int8) of the graph as OpenVINO will really run it here."""
    core = ov.Core()
    compiled = core.compile_model(
        core.read_model(xml), "CPU", {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": 1}
    )
    total = int8 = 0
    for operation in compiled.get_runtime_model().get_ordered_ops():
        info = {key: str(value.value) for key, value in operation.get_rt_info().items()}
        if info.get("layerType") in LAYERS:
            total += 1
            int8 += info.get("runtimePrecision") in INT8
    return total, int8
