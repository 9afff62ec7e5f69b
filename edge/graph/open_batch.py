"""A frame graph for a batch of any size: each entry brings its own frame and its own scene.

A server gathers the frames of many cameras into one batch. The scene tensors are inputs like the
frame, so that no entry reads the scene of another.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from edge.errors import EdgeError
from edge.graph.dependencies import input_names, tensor_shapes

BATCH = "N"
"""Name of the open side."""


def with_open_batch(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph whose inputs and outputs, all [1, ...], take and give [N, ...] instead.

    Raises:
        EdgeError: A node moves values from one entry of a batch to another, or is of a fixed batch.
    """
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    shapes = tensor_shapes(graph)
    constants = {w.name: numpy_helper.to_array(w) for w in graph.initializer}
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    for value in (*copy.graph.input, *copy.graph.output):
        sides = value.type.tensor_type.shape.dim
        if not sides or sides[0].dim_value != 1:
            raise EdgeError(f"{value.name} {shapes[value.name]} has no batch as its first side")
        sides[0].dim_param = BATCH
    for node in copy.graph.node:
        if node.op_type == "Reshape" and node.input[1] in constants:
            shape = constants[node.input[1]]
            given = shapes.get(node.input[0], [])
            if list(shape[:1]) == given[:1] == [1] and 0 not in shape:
                # 0 is the side of the input, unless the node says that it is none.
                attributes = [a for a in node.attribute if a.name != "allowzero"]
                del node.attribute[:]
                node.attribute.extend(attributes)
                _replace(copy, node, 1, np.array([0, *shape[1:]], np.int64))
        if node.op_type == "Resize" and len(node.input) > 3 and node.input[3] in constants:
            _scale(copy, node, shapes, constants[node.input[3]])
    read = {name for node in copy.graph.node for name in input_names(node)}
    kept = [w for w in copy.graph.initializer if w.name in read]
    del copy.graph.value_info[:], copy.graph.initializer[:]
    copy.graph.initializer.extend(kept)
    try:
        copy = onnx.shape_inference.infer_shapes(copy, strict_mode=True)
    except onnx.shape_inference.InferenceError as error:
        reason = str(error).strip().splitlines()[0].rpartition("] ")[2]
        raise EdgeError(f"its nodes have a fixed batch: {reason}") from error
    for value in copy.graph.output:
        if value.type.tensor_type.shape.dim[0].dim_param != BATCH:
            raise EdgeError(f"{value.name} has a fixed batch")
    return copy


def _replace(
    model: onnx.ModelProto, node: onnx.NodeProto, position: int, value: npt.NDArray[Any]
) -> None:
    """Give a node a constant of its own: other nodes may read the one it had."""
    name = f"{node.output[0]}.{BATCH}"
    model.graph.initializer.append(numpy_helper.from_array(value, name))
    node.input[position] = name


def _scale(
    model: onnx.ModelProto,
    node: onnx.NodeProto,
    shapes: dict[str, list[int]],
    sizes: npt.NDArray[Any],
) -> None:
    """Resize by scales instead of by sizes, which name the batch."""
    given = np.array(shapes.get(node.input[0], []))
    if given.shape != sizes.shape or given[0] != 1 or sizes[0] != 1:
        return
    if any(a.name == "keep_aspect_ratio_policy" for a in node.attribute):
        raise EdgeError(f"Resize `{node.name}` has a policy for a size, which has a fixed batch")
    scales = (sizes / given).astype(np.float32)
    # A scale that was rounded down may give a side less.
    short = np.floor(given.astype(np.float32) * scales) < sizes
    scales = np.where(short, np.nextafter(scales, np.float32(np.inf)), scales)
    del node.input[3:]
    _replace(model, node, 2, scales)
