"""The contract of a network: what goes in, what comes out, one frame at a time.

bg, fg_bg    uint8 [1, H, W, 3]      bg may be missing
mask, depth  float32 [1, 1, H, W]    one of them may be missing
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from edge.errors import EdgeError
from edge.graph.dependencies import FRAME_INPUT, SCENE_INPUT
from edge.graph.resize import image_size

OUTPUTS = ("mask", "depth")


def conform(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the model for batches of one, where its batch was open; EdgeError says how a model
    breaks the contract."""
    height, width = image_size(model)
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    weights = {weight.name for weight in copy.graph.initializer}
    inputs = [value for value in copy.graph.input if value.name not in weights]
    for found, known in ((inputs, (SCENE_INPUT, FRAME_INPUT)), (copy.graph.output, OUTPUTS)):
        for value in found:
            if value.name not in known:
                kind = "output" if known is OUTPUTS else "input"
                raise EdgeError(f"{kind} {value.name} is none of {', '.join(known)}")
    for value in inputs:
        _fix(value, onnx.TensorProto.UINT8, (1, height, width, 3))
    for value in copy.graph.output:
        _fix(value, onnx.TensorProto.FLOAT, (1, 1, height, width))
    if copy == model:
        return model
    del copy.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(copy, data_prop=True)


def _fix(value: onnx.ValueInfoProto, kind: int, shape: Sequence[int]) -> None:
    """Give open sides their numbers; EdgeError if others, or another type, are there already."""
    tensor = value.type.tensor_type
    there = [side.dim_value for side in tensor.shape.dim] or [0] * len(shape)
    name = onnx.TensorProto.DataType.Name
    fits = len(there) == len(shape) and all(a in (0, b) for a, b in zip(there, shape, strict=True))
    if tensor.elem_type != kind or not fits:
        found = ", ".join(str(side or "?") for side in there)
        raise EdgeError(
            f"{value.name} is {name(tensor.elem_type).lower()} [{found}],"
            f" expected {name(kind).lower()} {list(shape)}"
        )
    del tensor.shape.dim[:]
    for side in shape:
        tensor.shape.dim.add().dim_value = side
