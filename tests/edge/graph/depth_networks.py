"""Small depth networks, and what `edge` should make of them, computed by numpy and OpenCV."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RED, GREEN, BLUE = 0.5, 0.3, 0.2
HEIGHT, WIDTH = 24, 40


def save_network(
    path: Path,
    sides: tuple[int | str, ...] = (1, 3, HEIGHT, WIDTH),
    *,
    dtype: int = TensorProto.FLOAT,
    opset: int = 17,
    metadata: dict[str, str] | None = None,
    squeezed: bool = False,
) -> Path:
    """A network whose depth is .5 R + .3 G + .2 B of its input. It reads its own size, as exported
    networks of open sides do, to resize a smaller map to it."""
    kind = helper.tensor_dtype_to_np_dtype(dtype)
    weights = [
        numpy_helper.from_array(np.array([RED, GREEN, BLUE], kind).reshape(1, 3, 1, 1), "grey"),
        numpy_helper.from_array(np.array([2], np.int64), "two"),
        numpy_helper.from_array(np.array([4], np.int64), "four"),
        numpy_helper.from_array(np.array([1, 1], np.int64), "ones"),
    ]
    none = "" if opset > 11 else "none"  # opset 11 has no way to leave an input out
    weights += [numpy_helper.from_array(np.zeros(0, np.float32), none)] if none else []
    nodes = [
        helper.make_node("Shape", ["image"], ["shape"], "shape"),
        helper.make_node("Slice", ["shape", "two", "four"], ["sides"], "sides"),
        helper.make_node("Concat", ["ones", "sides"], ["sizes"], "sizes", axis=0),
        helper.make_node("Conv", ["image", "grey"], ["mixed"], "mix"),
        helper.make_node(
            "Resize", ["mixed", none, none, "sizes"], ["whole"], "whole", mode="linear"
        ),
        helper.make_node("Squeeze", ["whole"], ["depth"], "squeeze")
        if squeezed
        else helper.make_node("Identity", ["whole"], ["depth"], "identity"),
    ]
    graph = helper.make_graph(
        nodes,
        "depth",
        [helper.make_tensor_value_info("image", dtype, sides)],
        [helper.make_tensor_value_info("depth", dtype, list("hw" if squeezed else "nchw"))],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, path)
    return path


def expected(
    bg: np.ndarray,
    mean: tuple[float, float, float] = (0, 0, 0),
    divisor: tuple[float, float, float] = (1, 1, 1),
    size: tuple[int, int] = (HEIGHT, WIDTH),
    metres: bool = False,
) -> np.ndarray:
    """The depth of a scene by that network, float [H, W] in 0..1."""
    height, width = bg.shape[:2]
    rows, columns = math.ceil(height / size[0]), math.ceil(width / size[1])
    large = cv2.resize(bg.astype(np.float64), (size[1] * columns, size[0] * rows))
    small = large.reshape(size[0], rows, size[1], columns, 3).mean((1, 3))
    rgb = (small[..., ::-1] - mean) / divisor
    depth = rgb @ (RED, GREEN, BLUE)
    if metres:
        depth = 1 / np.maximum(depth, 1e-3)
    depth = cv2.resize(depth, (width, height))
    return (depth - depth.min()) / (depth.max() - depth.min())
