"""ONNX Runtime needs no engine: the graphs are what it loads."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import onnx
import onnxruntime

from edge.targets.engine import BACKGROUND, FRAME, Engine
from edge.targets.table import Target

INT8 = {"QLinearConv", "QLinearConvTranspose"}
FLOAT = {"Conv", "FusedConv", "ConvTranspose", "NhwcFusedConv"}


def make(folder: Path, target: Target, precision: str, sm: Sequence[int]) -> Engine:
    background = BACKGROUND if (folder / BACKGROUND).exists() else ""
    layers, int8 = count_layers(folder / FRAME)
    return Engine(
        FRAME, background, (FRAME,), onnxruntime.__version__, layers=layers, int8_layers=int8
    )


def count_layers(frame: Path) -> tuple[int, int]:
    """(layers with weights, those in int8) of the graph as ONNX Runtime will really run it."""
    with tempfile.TemporaryDirectory() as folder:
        optimized = Path(folder) / "optimized.onnx"
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(optimized)
        options.log_severity_level = 3
        onnxruntime.InferenceSession(str(frame), options, providers=["CPUExecutionProvider"])
        kinds = [node.op_type for node in onnx.load(optimized).graph.node]
    int8 = sum(kind in INT8 for kind in kinds)
    return int8 + sum(kind in FLOAT for kind in kinds), int8
