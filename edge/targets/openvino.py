"""OpenVINO on a CPU: frame.xml and frame.bin (IR) beside the ONNX graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from edge.runtime.cores import usable_cores
from edge.targets.registry import register
from edge.targets.target import BACKGROUND, FRAME, PRECISIONS, Engine, Run, Target

HINTS = {"fp32": "f32", "fp16": "f32", "bf16": "bf16", "int8": "f32"}
"""OpenVINO's compute precision for each of ours. Without a hint it computes "FP32" in bfloat16 on
CPUs that can. fp16 halves the bytes of the weights; CPUs compute it in f32."""
LAYERS = {"Convolution", "Deconvolution"}
INT8 = {"i8", "u8"}


class OpenVinoTarget(Target):
    def why_not_here(self) -> str:
        return "" if self.installed() else "not installed"

    def make_engine(self, folder: Path, precision: str, sms: Sequence[int]) -> Engine:
        from edge.runtime.backends.openvino import VERSION

        half = precision == "fp16"
        frame = _converted(folder / FRAME, half)
        background = folder / BACKGROUND
        layers, int8 = count_layers(frame, HINTS[precision])
        return Engine(
            frame.name,
            _converted(background, half).name if background.exists() else "",
            (frame.name, frame.with_suffix(".bin").name),
            VERSION,
            {"inference_precision": HINTS[precision]},
            layers,
            int8,
        )

    def session(self, model: onnx.ModelProto) -> Run:
        from edge.runtime.backends.openvino import compiled, core

        opened = compiled(core().read_model(model.SerializeToString()), usable_cores(), "f32")
        inputs = [value.get_any_name() for value in opened.inputs]

        def run(names: Sequence[str], feeds: Mapping[str, Any]) -> list[Any]:
            results = opened({key: feeds[key] for key in inputs})
            return [results[opened.output(name)] for name in names]

        return run


def _converted(graph: Path, half: bool) -> Path:
    """Write a graph as IR, weights in float16 if `half`; return its .xml."""
    from edge.runtime.backends.openvino import core, ov

    xml = graph.with_suffix(".xml")
    ov.save_model(core().read_model(graph), xml, compress_to_fp16=half)
    return xml


def count_layers(xml: Path, hint: str) -> tuple[int, int]:
    """Count layers in the graph as OpenVINO compiles it on this machine.

    Returns:
        (layers with weights, those of them in int8).
    """
    from edge.runtime.backends.openvino import core

    compiled = core().compile_model(
        core().read_model(xml),
        "CPU",
        {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": 1},
    )
    total = int8 = 0
    for operation in compiled.get_runtime_model().get_ordered_ops():
        info = {key: str(value.value) for key, value in operation.get_rt_info().items()}
        if info.get("layerType") in LAYERS:
            total += 1
            int8 += info.get("runtimePrecision") in INT8
    return total, int8


register(
    OpenVinoTarget(
        name="openvino",
        modules=("openvino",),
        extra="openvino",
        packages=("openvino",),
        backend="openvino",
        device="cpu",
        precisions=PRECISIONS,
        scheme="u8",
        upsample="convtranspose",
        channels=16,
        channels_last=PRECISIONS,
        float16_scene=True,
        float16_graph=False,
    )
)
