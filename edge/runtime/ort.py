"""ONNX Runtime without its reporter. All other modules import `ort` from here.

The wheel of ONNX Runtime 1.32 keeps a device id and events under HOME and looks up its maker's
collector within seconds of the first session. Only this variable, set before the import, stops it:
`disable_telemetry_events()` comes too late. Processes that this one starts inherit it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime as ort

__all__ = ["float16_converter", "ort"]


def float16_converter() -> Callable[..., Any]:
    """ONNX Runtime's converter of float32 graphs to float16; it imports the onnx package."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    converter: Callable[..., Any] = convert_float_to_float16
    return converter
