"""Graphs in float16 with unchanged inputs and outputs."""

from __future__ import annotations

import onnx

SCALES_NEED = 19
"""Opset from which Q/DQ scales may be float16."""


def to_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Convert a float32 graph to float16 with ONNX Runtime's converter; inputs and outputs stay."""
    from edge.runtime.ort import float16_converter

    copy = onnx.ModelProto.FromString(model.SerializeToString())
    return float16_converter()(onnx.shape_inference.infer_shapes(copy), keep_io_types=True)
