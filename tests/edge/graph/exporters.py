"""One small network in the ways in which exporters write it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 64


def small_network(opset: int = 17, ir_version: int = 9) -> onnx.ModelProto:
    """Conv, Conv, ConvTranspose and two heads over the difference of frame and background."""
    rng = np.random.default_rng(0)
    shapes = {
        "w1": (16, 3, 3, 3), "b1": (16,), "w2": (16, 16, 3, 3), "b2": (16,), "w3": (16, 8, 2, 2),
        "b3": (8,), "w4": (1, 8, 1, 1), "b4": (1,), "w5": (1, 8, 1, 1), "b5": (1,),
    }  # fmt: skip
    values = {k: rng.normal(0, 1 / np.sqrt(np.prod(s[1:])), s) for k, s in shapes.items()}
    values = {k: v / 10 if k[0] == "b" else v for k, v in values.items()} | {"white": 255.0}
    nodes = []
    for name in ("bg", "fg_bg"):
        nodes += [
            helper.make_node("Cast", [name], [f"{name}.f"], f"{name}.cast", to=TensorProto.FLOAT),
            helper.make_node("Transpose", [f"{name}.f"], [f"{name}.t"], f"{name}.chw",
                             perm=[0, 3, 1, 2]),
            helper.make_node("Div", [f"{name}.t", "white"], [f"{name}.n"], f"{name}.norm"),
        ]  # fmt: skip
    pads = {"pads": [1] * 4, "kernel_shape": [3, 3]}
    nodes += [
        helper.make_node("Sub", ["fg_bg.n", "bg.n"], ["d"], "difference"),
        helper.make_node("Conv", ["d", "w1", "b1"], ["c1"], "conv1", strides=[2, 2], **pads),
        helper.make_node("Relu", ["c1"], ["r1"], "relu1"),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], "conv2", **pads),
        helper.make_node("Relu", ["c2"], ["r2"], "relu2"),
        helper.make_node("ConvTranspose", ["r2", "w3", "b3"], ["u"], "up", strides=[2, 2]),
        helper.make_node("Relu", ["u"], ["r3"], "relu3"),
        helper.make_node("Conv", ["r3", "w4", "b4"], ["m"], "mask_head"),
        helper.make_node("Conv", ["r3", "w5", "b5"], ["p"], "depth_head"),
        helper.make_node("Sigmoid", ["m"], ["mask"], "mask_out"),
        helper.make_node("Sigmoid", ["p"], ["depth"], "depth_out"),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "small",
        [info(name, TensorProto.UINT8, [1, SIDE, SIDE, 3]) for name in ("bg", "fg_bg")],
        [info(name, TensorProto.FLOAT, [1, 1, SIDE, SIDE]) for name in ("mask", "depth")],
        [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in values.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)


def _prepend(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *rest])


def _store(model: onnx.ModelProto, **values: np.ndarray) -> None:
    """Set initializers by name."""
    _drop(model, *values)
    model.graph.initializer.extend(numpy_helper.from_array(v, name) for name, v in values.items())


def _drop(model: onnx.ModelProto, *names: str) -> None:
    for weight in [w for w in model.graph.initializer if w.name in names]:
        model.graph.initializer.remove(weight)


def _value(model: onnx.ModelProto, name: str) -> np.ndarray:
    return numpy_helper.to_array(next(w for w in model.graph.initializer if w.name == name))


def _read_through(model: onnx.ModelProto, op: str, names: list[str], **attributes: object) -> None:
    """Put a node between the weights of those names and their layers."""
    for node in model.graph.node:
        for position, name in enumerate(node.input):
            if name in names:
                node.input[position] = f"{name}.read"
    _prepend(
        model,
        [helper.make_node(op, [n], [f"{n}.read"], f"{n}.{op}", **attributes) for n in names],
    )


def constant_nodes(model: onnx.ModelProto, kinds: str = "wb") -> None:
    moved = [w for w in model.graph.initializer if w.name[0] in kinds]
    _drop(model, *(w.name for w in moved))
    _prepend(model, [helper.make_node("Constant", [], [w.name], "", value=w) for w in moved])


def constant_biases(model: onnx.ModelProto) -> None:
    constant_nodes(model, "b")


def constant_float(model: onnx.ModelProto) -> None:
    """A scalar as the attribute value_float."""
    _drop(model, "white")
    _prepend(model, [helper.make_node("Constant", [], ["white"], "white.c", value_float=255.0)])


def identities(model: onnx.ModelProto) -> None:
    _read_through(model, "Identity", ["w1", "w2", "w3", "b1"])


def half_weights(model: onnx.ModelProto) -> None:
    names = ["w1", "w2", "w3", "w4", "b1", "b2"]
    _store(model, **{name: _value(model, name).astype(np.float16) for name in names})
    _read_through(model, "Cast", names, to=TensorProto.FLOAT)


def transposed_weight(model: onnx.ModelProto) -> None:
    _store(model, w2=np.ascontiguousarray(_value(model, "w2").transpose(1, 0, 2, 3)))
    _read_through(model, "Transpose", ["w2"], perm=[1, 0, 2, 3])


def weight_norm(model: onnx.ModelProto) -> None:
    """torch.nn.utils.parametrizations.weight_norm: g * v / |v| as nodes."""
    weight = _value(model, "w2")
    norm = np.sqrt((weight**2).sum((1, 2, 3), keepdims=True))
    _store(model, **{"w2.v": 3 * weight, "w2.g": norm, "w2.n": 3 * norm})
    _drop(model, "w2")
    unit = helper.make_node("Div", ["w2.v", "w2.n"], ["w2.unit"], "unit")
    _prepend(model, [unit, helper.make_node("Mul", ["w2.g", "w2.unit"], ["w2"], "scaled")])


def listed_initializers(model: onnx.ModelProto) -> None:
    """IR version 3: every initializer is an input as well."""
    model.ir_version = 3
    for w in model.graph.initializer:
        info = helper.make_tensor_value_info(w.name, w.data_type, list(w.dims))
        model.graph.input.append(info)


def unnamed_nodes(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        node.name = ""


def one_name(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        node.name = "node"


def name_per_operator(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        node.name = node.op_type


def open_batch(model: onnx.ModelProto) -> None:
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"


def local_function(model: onnx.ModelProto) -> None:
    """relu1 as a call of a function in the file, as torch's exporter writes modules."""
    node = next(n for n in model.graph.node if n.name == "relu1")
    body = [helper.make_node("Relu", ["x"], ["y"], "relu")]
    function = helper.make_function(
        "pkg.torch", "Activation", ["x"], ["y"], body, list(model.opset_import)
    )
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("pkg.torch", 1))
    node.domain, node.op_type = "pkg.torch", "Activation"


Change = Callable[[onnx.ModelProto], None]
CHANGES: list[Change] = [
    constant_nodes, constant_biases, constant_float, identities, half_weights, transposed_weight,
    weight_norm, listed_initializers, unnamed_nodes, one_name, name_per_operator, open_batch,
    local_function,
]  # fmt: skip
OPSETS = {9: 4, 11: 6, 12: 7, 13: 7, 22: 10, 24: 11}
"""ONNX opsets and an IR version of their time."""


def changed(model: onnx.ModelProto, change: Change) -> onnx.ModelProto:
    """A copy of the model after the change."""
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    change(copy)
    onnx.checker.check_model(copy)
    return copy


def variants() -> dict[str, onnx.ModelProto]:
    """The network in every way, by name."""
    models = {change.__name__: changed(small_network(), change) for change in CHANGES}
    models |= {f"opset{opset}": small_network(opset, ir) for opset, ir in OPSETS.items()}
    old = changed(changed(small_network(9, 3), listed_initializers), unnamed_nodes)
    return models | {"opset9_listed_unnamed": old}
