"""ONNX Runtime on a CPU. It loads the ONNX graphs as they are."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import onnx

from edge.runtime.cores import usable_cores
from edge.targets.registry import register
from edge.targets.target import BACKGROUND, FRAME, Engine, Run, Target

INT8 = {"QLinearConv", "QLinearConvTranspose"}
FLOAT = {"Conv", "FusedConv", "ConvTranspose", "NhwcFusedConv"}
"""Operators of ONNX Runtime's optimised graph that carry weights."""


class OnnxRuntimeTarget(Target):
    def why_not_here(self) -> str:
        return "" if self.installed() else "not installed"

    def make_engine(self, folder: Path, precision: str, sms: Sequence[int]) -> Engine:
        from edge.runtime.ort import ort

        background = BACKGROUND if (folder / BACKGROUND).exists() else ""
        layers, int8 = count_layers(folder / FRAME)
        return Engine(FRAME, background, (FRAME,), ort.__version__, layers=layers, int8_layers=int8)

    def session(self, model: onnx.ModelProto) -> Run:
        from edge.runtime.backends.onnxruntime import session

        opened = session(model.SerializeToString(), usable_cores())
        inputs = [value.name for value in opened.get_inputs()]
        return lambda names, feeds: opened.run(list(names), {key: feeds[key] for key in inputs})


def count_layers(frame: Path) -> tuple[int, int]:
    """Count layers in the graph as ONNX Runtime optimises it.

    Returns:
        (layers with weights, those of them in int8).
    """
    from edge.runtime.ort import ort

    with tempfile.TemporaryDirectory() as folder:
        optimized = Path(folder) / "optimized.onnx"
        options = ort.SessionOptions()
        options.optimized_model_filepath = str(optimized)
        options.log_severity_level = 3
        ort.InferenceSession(str(frame), options, providers=["CPUExecutionProvider"])
        kinds = [node.op_type for node in onnx.load(optimized).graph.node]
    int8 = sum(kind in INT8 for kind in kinds)
    return int8 + sum(kind in FLOAT for kind in kinds), int8


register(
    OnnxRuntimeTarget(
        name="onnxruntime",
        modules=("onnxruntime",),
        extra="",
        packages=("onnxruntime",),
        backend="onnxruntime",
        device="cpu",
        precisions=("int8", "fp16", "fp32"),
        scheme="u8",
        upsample="convtranspose",
        channels=4,
        channels_last=("int8",),
    )
)
