"""A network with the scene input `spread`: what strays farther than the scene itself is new."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHANNELS = 8
BLUR = np.full((3, 3), 1 / 9, np.float32)


def spread_network(
    height: int = 64, width: int = 64, joined: tuple[str, ...] = ()
) -> onnx.ModelProto:
    """mask = sigmoid(20 * (max(blur(|fg_bg - bg|) - 2 * blur(spread), 0) - 0.1)), in layers.

    Args:
        height, width: Of the images.
        joined: Images of the scene that are joined with the frame before the first layer, along an
            axis over which nothing can be distributed.
    """
    # Each of the channels blurs one colour, or one quantile of the spread.
    first = np.zeros((CHANNELS, 3, 3, 3), np.float32)
    for channel in range(CHANNELS):
        first[channel, channel % 3] = BLUR
    lives = np.zeros_like(first)
    lives[:, 2] = 2 * BLUR
    second = np.zeros((CHANNELS, CHANNELS, 3, 3), np.float32)
    for channel in range(CHANNELS):
        second[channel, channel, 1, 1] = 1
    values: dict[str, object] = {
        "first": first, "lives": lives, "second": second,
        "last": np.full((1, CHANNELS, 1, 1), 20 / CHANNELS), "bias": np.full(1, -2.0),
        "white": np.float32(1 / 255), "parts": np.full(len(joined) + 1, height, np.int64),
    }  # fmt: skip
    node, images = helper.make_node, ("bg", "spread", "fg_bg")
    nodes = []
    stacked = (*joined, "fg_bg") if joined else ()
    if stacked:
        nodes += [
            node("Concat", list(stacked), ["tall"], "stack", axis=1),
            node("Split", ["tall", "parts"], [f"{n}.own" for n in stacked], "apart", axis=1),
        ]
    for name in images:
        source = f"{name}.own" if name in stacked else name
        nodes += [
            node("Cast", [source], [f"{name}.f"], f"{name}.cast", to=TensorProto.FLOAT),
            node("Transpose", [f"{name}.f"], [f"{name}.t"], f"{name}.chw", perm=[0, 3, 1, 2]),
            node("Mul", [f"{name}.t", "white"], [f"{name}.n"], f"{name}.norm"),
        ]
    pads = {"pads": [1] * 4, "kernel_shape": [3, 3]}
    nodes += [
        node("Conv", ["bg.n", "first"], ["bg.c"], "bg.conv", **pads),
        node("Conv", ["fg_bg.n", "first"], ["fg_bg.c"], "fg_bg.conv", **pads),
        node("Conv", ["spread.n", "lives"], ["spread.c"], "spread.conv", **pads),
        node("Sub", ["fg_bg.c", "bg.c"], ["d"], "difference"),
        node("Abs", ["d"], ["a"], "abs"),
        node("Sub", ["a", "spread.c"], ["e"], "excess"),
        node("Relu", ["e"], ["r"], "relu"),
        node("Conv", ["r", "second"], ["s"], "second.conv", **pads),
        node("Relu", ["s"], ["t"], "second.relu"),
        node("Conv", ["t", "last", "bias"], ["m"], "last.conv"),
        node("Sigmoid", ["m"], ["mask"], "out"),
    ]
    read = {name for each in nodes for name in each.input}
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "spread",
        [info(name, TensorProto.UINT8, [1, height, width, 3]) for name in images],
        [info("mask", TensorProto.FLOAT, [1, 1, height, width])],
        [numpy_helper.from_array(_array(v), k) for k, v in values.items() if k in read],
    )
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    onnx.checker.check_model(model)
    return model


def _array(value: object) -> np.ndarray:
    array = np.asarray(value)
    return array if array.dtype == np.int64 else array.astype(np.float32)
