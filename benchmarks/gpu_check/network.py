"""An ONNX graph computed with arrays of the GPU, slowly and plainly.

It has the operators of the bundled networks in float32, each from slices, products and sums that
every array library has, so that it depends on no kernel library.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from edge.benchmarks.gpu_check.arrays import Arrays
from edge.errors import EdgeError
from edge.manifest import Tensor

Numbers = npt.NDArray[Any]
Operator = Callable[["Network", onnx.NodeProto, dict[str, Any], list[Any]], Any]
OPERATORS: dict[str, Operator] = {}


class Network:
    """A graph whose weights are on the GPU.

    inputs, outputs: its tensors; they have fixed shapes.
    """

    def __init__(self, data: bytes, arrays: Arrays) -> None:
        graph = onnx.load_from_string(data).graph
        self.arrays = arrays
        self.inputs, self.outputs = _tensors(graph.input), _tensors(graph.output)
        self._numbers = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
        self._nodes = list(graph.node)
        if unknown := {node.op_type for node in self._nodes} - OPERATORS.keys():
            raise EdgeError(f"the stand-in engine computes no {', '.join(sorted(unknown))}")
        self._constants: dict[Any, Any] = {}
        self.one = self.constant("one", np.ones(1, np.float32))
        for name, value in self._numbers.items():
            if value.dtype == np.float32:
                self.constant(name, value)
        arrays.ready()

    def constant(self, key: Any, values: Numbers) -> Any:
        """The values on the GPU, put there once."""
        if key not in self._constants:
            self._constants[key] = self.arrays.constant(values)
        return self._constants[key]

    def numbers(self, node: onnx.NodeProto, index: int) -> list[int | float] | None:
        """A constant input, such as a shape, on the host; None where the node has none."""
        name = node.input[index] if index < len(node.input) else ""
        return self._numbers[name].tolist() if name else None

    def run(self, feeds: dict[str, Any]) -> dict[str, Any]:
        """Compute every tensor of the graph from its inputs by name."""
        values = dict(feeds)
        for node in self._nodes:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            inputs = [values.get(name, self._constants.get(name)) for name in node.input]
            values[node.output[0]] = OPERATORS[node.op_type](self, node, attributes, inputs)
        return values


def _tensors(values: Any) -> list[Tensor]:
    found = []
    for value in values:
        kind = value.type.tensor_type
        shape = tuple(side.dim_value for side in kind.shape.dim)
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        found.append(Tensor(value.name, shape, str(dtype)))
    return found


def _operator(*names: str) -> Callable[[Operator], Operator]:
    def add(function: Operator) -> Operator:
        OPERATORS.update(dict.fromkeys(names, function))
        return function

    return add


def _plain(name: str, function: Callable[..., Any]) -> None:
    OPERATORS[name] = lambda net, node, attributes, inputs: function(net.arrays.xp, *inputs)


_plain("Add", lambda xp, a, b: a + b)
_plain("Sub", lambda xp, a, b: a - b)
_plain("Mul", lambda xp, a, b: a * b)
_plain("Div", lambda xp, a, b: a / b)
_plain("Max", lambda xp, a, b: xp.maximum(a, b))
_plain("Abs", lambda xp, a: xp.abs(a))
_plain("Relu", lambda xp, a: a * (a > 0))
_plain("Sqrt", lambda xp, a: xp.sqrt(a))
_plain("Sigmoid", lambda xp, a: 1 / (1 + xp.exp(-a)))


@_operator("Cast")
def _cast(net: Network, node: onnx.NodeProto, attributes: dict[str, Any], inputs: list[Any]) -> Any:
    if attributes["to"] != onnx.TensorProto.FLOAT:
        raise EdgeError("the stand-in engine casts to float32 alone")
    return inputs[0] * net.one


@_operator("Clip")
def _clip(net: Network, node: onnx.NodeProto, attributes: dict[str, Any], inputs: list[Any]) -> Any:
    low, high = (net._numbers[name].item() for name in node.input[1:])
    above = inputs[0] - low
    x = above * (above > 0) + low
    return x - (x - high) * (x > high)


@_operator("Transpose")
def _transpose(
    net: Network, node: onnx.NodeProto, attributes: dict[str, Any], inputs: list[Any]
) -> Any:
    xp = net.arrays.xp
    permute = xp.permute if hasattr(xp, "permute") else xp.transpose
    return permute(inputs[0], tuple(attributes["perm"]))


@_operator("Reshape")
def _reshape(
    net: Network, node: onnx.NodeProto, attributes: dict[str, Any], inputs: list[Any]
) -> Any:
    return inputs[0].reshape(tuple(net.numbers(node, 1) or ()))


@_operator("Concat")
def _concat(
    net: Network, node: onnx.NodeProto, attributes: dict[str, Any], inputs: list[Any]
) -> Any:
    return net.arrays.xp.concatenate(inputs, attributes["axis"])


@_operator("ReduceMean")
def _mean(net: Network, node: onnx.NodeProto, attributes: dict[str, Any], inputs: list[Any]) -> Any:
    axes = tuple(int(axis) for axis in net.numbers(node, 1) or ())
    return (
        inputs[0]
        .mean(axes)
        .reshape(tuple(1 if axis in axes else side for axis, side in enumerate(inputs[0].shape)))
    )


@_operator("Slice")
def _slice(
    net: Network, node: onnx.NodeProto, attributes: dict[str, Any], inputs: list[Any]
) -> Any:
    taken, given = inputs[0], [net.numbers(node, index) for index in range(1, 5)]
    starts, ends, axes, steps = given
    for start, end, axis, step in zip(
        starts or (), ends or (), axes or (), steps or (), strict=True
    ):
        axis = int(axis) % len(taken.shape)
        if step == -1 and start == -1:
            taken = net.arrays.xp.flip(taken, (axis,))
        else:
            part = [slice(None)] * len(taken.shape)
            part[axis] = slice(int(start), int(end), int(step))
            taken = taken[tuple(part)]
    return taken


@_operator("Conv")
def _conv(net: Network, node: onnx.NodeProto, attributes: dict[str, Any], inputs: list[Any]) -> Any:
    """One product of matrices for each position in the kernel."""
    image, weight, bias = [*inputs, None][:3]
    group = attributes.get("group", 1)
    if set(attributes.get("dilations", (1,))) != {1} or group not in (1, weight.shape[0]):
        raise EdgeError("the stand-in engine computes no dilated Conv, nor groups of channels")
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    down, along = attributes.get("strides", (1, 1))
    count, channels, height, width = image.shape
    tall, wide = weight.shape[2:]
    if top or left or bottom or right:
        padded = net.arrays.zeros((count, channels, height + top + bottom, width + left + right))
        padded[:, :, top : top + height, left : left + width] = image
        image = padded
    rows = (image.shape[2] - tall) // down + 1
    columns = (image.shape[3] - wide) // along + 1
    total: Any = 0
    for y, x in product(range(tall), range(wide)):
        part = image[
            :, :, y : y + down * (rows - 1) + 1 : down, x : x + along * (columns - 1) + 1 : along
        ]
        flat = part.reshape((count, channels, rows * columns))
        # With a group for each channel, a channel meets its own weight alone.
        each = weight[:, 0, y, x].reshape((1, -1, 1)) * flat if group > 1 else None
        total = total + (weight[:, :, y, x] @ flat if each is None else each)
    if bias is not None:
        total = total + bias.reshape((1, -1, 1))
    return total.reshape((count, -1, rows, columns))


@_operator("ConvTranspose")
def _conv_transpose(
    net: Network, node: onnx.NodeProto, attributes: dict[str, Any], inputs: list[Any]
) -> Any:
    """Of kernel 2 and stride 2: each weight fills its own quarter of the result."""
    image, weight, bias = [*inputs, None][:3]
    if tuple(weight.shape[2:]) != (2, 2) or tuple(attributes["strides"]) != (2, 2):
        raise EdgeError("the stand-in engine computes ConvTranspose of kernel 2 and stride 2 alone")
    count, channels, height, width = image.shape
    given = weight.shape[1]
    flat = image.reshape((count, channels, height * width))
    result = net.arrays.zeros((count, given, 2 * height, 2 * width))
    for y, x in product(range(2), range(2)):
        result[:, :, y::2, x::2] = (weight[:, :, y, x].T @ flat).reshape(
            (count, given, height, width)
        )
    return result if bias is None else result + bias.reshape((1, -1, 1, 1))


@_operator("AveragePool")
def _average(
    net: Network, node: onnx.NodeProto, attributes: dict[str, Any], inputs: list[Any]
) -> Any:
    tall, wide = attributes["kernel_shape"]
    if list(attributes["strides"]) != [tall, wide] or any(attributes.get("pads", ())):
        raise EdgeError("the stand-in engine computes AveragePool without overlap alone")
    count, channels, height, width = inputs[0].shape
    rows, columns = height // tall, width // wide
    whole = inputs[0][:, :, : rows * tall, : columns * wide]
    return whole.reshape((count, channels, rows, tall, columns, wide)).mean((3, 5))


@_operator("Resize")
def _resize(
    net: Network, node: onnx.NodeProto, attributes: dict[str, Any], inputs: list[Any]
) -> Any:
    """Bilinear between pixels' centres: a product with a matrix for each direction."""
    image = inputs[0]
    scales, sizes = net.numbers(node, 2), net.numbers(node, 3)
    height, width = (
        int(sizes[axis] if sizes else image.shape[axis] * (scales or [1] * 4)[axis])
        for axis in (2, 3)
    )
    down = net.constant((height, image.shape[2]), _between(height, image.shape[2]))
    along = net.constant((width, image.shape[3]), _between(width, image.shape[3]))
    return down @ image @ along.T


def _between(new: int, old: int) -> Numbers:
    """Weights [new, old] of the old pixels for each new one."""
    centres = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    low = np.floor(centres).astype(int)
    high, share = np.minimum(low + 1, old - 1), centres - low
    weights = np.zeros((new, old), np.float32)
    np.add.at(weights, (np.arange(new), low), 1 - share)
    np.add.at(weights, (np.arange(new), high), share)
    return weights
