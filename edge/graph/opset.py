"""The ONNX operator set that a model uses."""

from __future__ import annotations

import onnx
from onnx import version_converter
from onnx.defs import onnx_opset_version

from edge.errors import EdgeError

OLDEST, NEWEST = 13, 21
"""Quantization per channel needs opset 13; ONNX Runtime 1.20 implements int8 up to opset 21."""


def opset_of(model: onnx.ModelProto) -> int:
    """Return the version of the ONNX operators; 0 where the model imports none."""
    return next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)


def with_opset(model: onnx.ModelProto, oldest: int = OLDEST) -> onnx.ModelProto:
    """Convert a model to an opset from `oldest` to NEWEST; return it as it is where it has one.

    Raises:
        EdgeError: The opset cannot be converted, or the installed onnx does not know it.
    """
    opset, known = opset_of(model), onnx_opset_version()
    wanted = min(max(opset, oldest, OLDEST), NEWEST)
    if opset == wanted:
        return model
    hint = f"export the network with an opset from {OLDEST} to {NEWEST}"
    if opset > known:
        raise EdgeError(
            f"opset {opset} is newer than the installed onnx {onnx.__version__} knows ({known})",
            hint,
        )
    try:
        return version_converter.convert_version(model, wanted)
    except Exception as error:  # the converter's C++ errors share no base class
        lines = str(error).strip().splitlines() or ["unknown reason"]
        raise EdgeError(
            f"opset {opset} cannot be converted to {wanted}: {lines[-1].strip()}", hint
        ) from error
