"""A fully convolutional network at another image size."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from edge.errors import EdgeError, UsageError
from edge.graph.dependencies import IMAGES, tensor_shapes
from edge.manifest import FRAME_INPUT


def image_size(model: onnx.ModelProto) -> tuple[int, int]:
    """Return the (height, width) of the input `fg_bg`; EdgeError if it breaks the contract."""
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
            name = onnx.TensorProto.DataType.Name(kind.elem_type).lower()
            actual = ", ".join(str(side or "?") for side in shape)
            raise EdgeError(
                f"input {FRAME_INPUT} is {name} [{actual}], expected uint8 [1, H, W, 3] of fixed"
                " height and width"
            )
    names = ", ".join(value.name for value in model.graph.input)
    raise EdgeError(f"the network has no input `{FRAME_INPUT}`; found {names}")


def stride_of(model: onnx.ModelProto) -> int:
    """Return the number that height and width must be multiples of; 1 if the metadata has none."""
    return int(next((p.value for p in model.metadata_props if p.key == "stride"), 1))


def resize_network(model: onnx.ModelProto, height: int, width: int) -> onnx.ModelProto:
    """Return the model for images of `height` x `width`, with its shapes inferred again.

    Raises:
        UsageError: The size is no multiple of the network's stride.
        EdgeError: The network has parts of a fixed size.
    """
    if (height, width) == image_size(model):
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
        if value.name in IMAGES:
            value.type.tensor_type.shape.dim[1].dim_value = height
            value.type.tensor_type.shape.dim[2].dim_value = width
    for value in copy.graph.output:
        value.type.tensor_type.shape.dim[2].dim_value = height
        value.type.tensor_type.shape.dim[3].dim_value = width
    del copy.graph.value_info[:]
    _resize_resizes(copy, image_size(model), (height, width))
    _resize_reshapes(copy, model)
    try:
        return onnx.shape_inference.infer_shapes(copy, strict_mode=True)
    except onnx.shape_inference.InferenceError as error:
        rows, columns = image_size(model)
        raise EdgeError(
            f"this network works at {columns}x{rows} only; export it from its checkpoint with"
            f" --imgsz {width}x{height} ({error})"
        ) from error


def _resize_resizes(model: onnx.ModelProto, before: tuple[int, int], now: tuple[int, int]) -> None:
    """Point Resize nodes whose constant size was the image size to the new one.

    But not those that resize an image, of three channels: a pass of the scene's depth wants it of
    its own size, which happens to be the image size.
    """
    constants = {w.name: w for w in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "Resize" or len(node.input) < 4 or node.input[3] not in constants:
            continue
        wanted = numpy_helper.to_array(constants[node.input[3]])
        if tuple(wanted[-2:]) == before and wanted[1] != 3:
            sizes = np.array([*wanted[:-2], *now], wanted.dtype)
            node.input[3] = _add_constant(model, f"{node.output[0]}.sizes", sizes)


def _resize_reshapes(model: onnx.ModelProto, original: onnx.ModelProto) -> None:
    """Adapt the constant shapes of Reshape nodes to the input size of `model`.

    Nodes are visited in order, because the input of one may depend on the one before.
    """
    before = tensor_shapes(onnx.shape_inference.infer_shapes(original).graph)
    constants = {w.name: w for w in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "Reshape" or node.input[1] not in constants:
            continue
        now = tensor_shapes(onnx.shape_inference.infer_shapes(model).graph).get(node.input[0], [])
        after = numpy_helper.to_array(constants[node.input[1]]).tolist()
        shape = _resized_shape(before.get(node.input[0], []), after, now)
        node.input[1] = _add_constant(model, f"{node.output[0]}.shape", np.array(shape, np.int64))


def _add_constant(model: onnx.ModelProto, name: str, value: npt.NDArray[np.int64]) -> str:
    """Add a constant and return its name, a new one where a network is resized once more."""
    taken = {weight.name for weight in model.graph.initializer}
    while name in taken:
        name += "_"
    model.graph.initializer.append(numpy_helper.from_array(value, name))
    return name


def _resized_shape(before: Sequence[int], after: Sequence[int], now: Sequence[int]) -> list[int]:
    """The target of a Reshape from `before` to `after`, for an input of shape `now`.

    The sides fall into runs of equal product, which the Reshape merges or splits. Of a run that it
    splits, the largest side is the one that scales with the image.
    """
    if min(after, default=0) < 1 or math.prod(before) != math.prod(after):
        return list(after)  # holds 0 or -1, or the shape is unknown
    shape = list(after)
    i = j = 0
    while i < len(before) and j < len(after):
        first, run = j, [i]
        old, new = before[i], after[j]
        while old != new:
            if old < new:
                run.append(run[-1] + 1)
                old *= before[run[-1]]
            else:
                j += 1
                new *= after[j]
        sides = list(range(first, j + 1))
        largest = max(sides, key=lambda side: after[side])
        shape[largest] = after[largest] * math.prod(now[k] for k in run) // old
        i, j = run[-1] + 1, j + 1
    return shape
