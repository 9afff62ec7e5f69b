"""The same network at another picture size: a convolution does not care."""

from __future__ import annotations

import onnx

from edge.errors import EdgeError, UsageError
from edge.graph.fold import FRAME_INPUT, SCENE_INPUT


def sides(model: onnx.ModelProto) -> tuple[int, int]:
    """(height, width) that the model's `fg_bg` takes; EdgeError if it breaks the contract."""
    for value in model.graph.input:
        if value.name == FRAME_INPUT:
            kind = value.type.tensor_type
            shape = [side.dim_value for side in kind.shape.dim]
            if (
                kind.elem_type == onnx.TensorProto.UINT8
                and len(shape) == 4
                and shape[3] == 3
                and min(shape[1:3]) > 0
            ):
                return shape[1], shape[2]
            found = f"{onnx.TensorProto.DataType.Name(kind.elem_type).lower()} {shape}"
            raise EdgeError(f"input {FRAME_INPUT} is {found}, expected uint8 [1, H, W, 3]")
    names = ", ".join(value.name for value in model.graph.input)
    raise EdgeError(f"the network has no input `{FRAME_INPUT}`; found {names}")


def stride_of(model: onnx.ModelProto) -> int:
    """What the sides must be multiples of, from the model's metadata (1 if it does not say)."""
    return int(next((p.value for p in model.metadata_props if p.key == "stride"), 1))


def at_size(model: onnx.ModelProto, height: int, width: int) -> onnx.ModelProto:
    """A copy of the model for pictures of `height` x `width`; shapes are inferred anew."""
    if (height, width) == sides(model):
        return model
    stride = stride_of(model)
    if height % stride or width % stride:
        near = f"{max(1, round(width / stride)) * stride}x{max(1, round(height / stride)) * stride}"
        raise UsageError(
            f"--imgsz {width}x{height}: width and height must be multiples of {stride};"
            f" the nearest is {near}"
        )
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    for value in copy.graph.input:
        if value.name in (SCENE_INPUT, FRAME_INPUT):
            value.type.tensor_type.shape.dim[1].dim_value = height
            value.type.tensor_type.shape.dim[2].dim_value = width
    for value in copy.graph.output:
        value.type.tensor_type.shape.dim[2].dim_value = height
        value.type.tensor_type.shape.dim[3].dim_value = width
    del copy.graph.value_info[:]
    try:
        return onnx.shape_inference.infer_shapes(copy, strict_mode=True)
    except onnx.shape_inference.InferenceError as error:
        raise EdgeError(
            f"this network works at {sides(model)[1]}x{sides(model)[0]} only; export it from its"
            f" checkpoint with --imgsz {width}x{height} ({error})"
        ) from error
