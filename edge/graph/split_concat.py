"""Distribute convolutions over concat: conv(cat[f, b]) = conv_f(f) + conv_b(b).

A convolution is linear in its channels, so one that reads a concatenation of frame and background
tensors is the sum of two, and the term of the background is a constant of the scene. An operator
that never combines channels (or groups of channels) moves before the concatenation.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from edge.graph.dependencies import Dependencies, dependencies, input_names, tensor_shapes

PER_CHANNEL = {
    "Abs", "AveragePool", "Elu", "GlobalAveragePool", "HardSigmoid", "LeakyRelu", "MaxPool", "Neg",
    "Relu", "Sigmoid", "Tanh",
}  # fmt: skip
"""Operators of one input that compute each channel from itself alone."""

WORTH = 16
"""MACs per output value that distributing a convolution must save: the constant that is added
instead has to be read from memory, which takes about as long."""

Weights = dict[str, npt.NDArray[np.float32]]


def mixes(node: onnx.NodeProto, depends: Dependencies) -> bool:
    """Tell whether a node concatenates channels (axis 1) of frame and background."""
    return (
        node.op_type == "Concat"
        and _attribute(node, "axis", 0) in (1, -3)
        and bool(depends.framed.intersection(node.input))
        and bool(depends.scene.intersection(node.input))
    )


def split_concat(model: onnx.ModelProto) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """Distribute the layers of a model over its concatenations of frame and background.

    Returns:
        The rewritten copy, and the names of the sums that replace convolutions.
    """
    model = onnx.ModelProto.FromString(model.SerializeToString())
    summed: list[str] = []
    while (change := _change(model)) is not None:
        at, nodes, weights = change
        summed += [node.name for node in nodes if node.op_type == "Add"]
        del model.graph.node[at]
        for offset, node in enumerate(nodes):
            model.graph.node.insert(at + offset, node)
        model.graph.initializer.extend(numpy_helper.from_array(w, n) for n, w in weights.items())
        _drop_unread(model.graph)
    return model, tuple(summed)


def _change(model: onnx.ModelProto) -> tuple[int, list[onnx.NodeProto], Weights] | None:
    """The first node that can be distributed: its index, its replacement and the new weights."""
    del model.graph.value_info[:]
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    depends, sides = dependencies(graph), tensor_shapes(graph)
    makers = {name: node for node in graph.node for name in node.output}
    weights = {w.name: w for w in graph.initializer}
    for at, node in enumerate(graph.node):
        concat = makers.get(node.input[0]) if node.input else None
        if concat is None or not mixes(concat, depends):
            continue
        parts = [(name, sides[name][1]) for name in concat.input]
        given = [numpy_helper.to_array(weights[n]) for n in input_names(node)[1:] if n in weights]
        if len(given) != len(input_names(node)) - 1:
            continue  # computed weights
        if node.op_type in PER_CHANNEL:
            return at, *_beside(node, parts, [{} for _ in parts], [{} for _ in parts])
        if node.op_type == "BatchNormalization":
            sliced = [
                {f"{node.output[0]}.{i}.{j}": w[a:b] for j, w in enumerate(given)}
                for i, (a, b) in enumerate(_spans(parts))
            ]
            return at, *_beside(node, parts, sliced, [{} for _ in parts])
        if node.op_type in ("Conv", "ConvTranspose"):
            group = _attribute(node, "group", 1)
            if group > 1:
                split = _grouped(node, parts, given, group)
            else:
                split = _summed(node, parts, given, depends)
            if split is not None:
                return at, *split
    return None


def _attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    return next((int(a.i) for a in node.attribute if a.name == name), default)


def _spans(parts: list[tuple[str, int]]) -> list[tuple[int, int]]:
    """First and one-past-last channel of each part of a concatenation."""
    ends = np.cumsum([channels for _, channels in parts]).tolist()
    return list(zip([0, *ends[:-1]], ends, strict=True))


def _like(node: onnx.NodeProto, tag: str, inputs: list[str], **changed: int) -> onnx.NodeProto:
    """A copy of a node under another name."""
    copy = onnx.NodeProto.FromString(node.SerializeToString())
    copy.name, copy.input[:], copy.output[:] = (
        f"{node.name}.{tag}",
        inputs,
        [f"{node.output[0]}.{tag}"],
    )
    for name, value in changed.items():
        kept = [a for a in copy.attribute if a.name != name]
        del copy.attribute[:]
        copy.attribute.extend([*kept, helper.make_attribute(name, value)])
    return copy


def _beside(
    node: onnx.NodeProto,
    parts: list[tuple[str, int]],
    weights: list[Weights],
    changed: list[dict[str, int]],
) -> tuple[list[onnx.NodeProto], Weights]:
    """The node once per part with the weights of that part, and a concatenation after them."""
    nodes = [
        _like(node, f"part{i}", [name, *own], **changes)
        for i, ((name, _), own, changes) in enumerate(zip(parts, weights, changed, strict=True))
    ]
    joined = helper.make_node(
        "Concat", [n.output[0] for n in nodes], [node.output[0]], f"{node.name}.joined", axis=1
    )
    return [*nodes, joined], {name: w for own in weights for name, w in own.items()}


def _grouped(
    node: onnx.NodeProto,
    parts: list[tuple[str, int]],
    given: list[npt.NDArray[np.float32]],
    group: int,
) -> tuple[list[onnx.NodeProto], Weights] | None:
    """A grouped convolution, unless one of its groups spans two parts."""
    kernel, *bias = given
    transposed = node.op_type == "ConvTranspose"
    inputs = sum(channels for _, channels in parts)
    outputs = kernel.shape[1] * group if transposed else kernel.shape[0]
    each_in, each_out = inputs // group, outputs // group
    if any(channels % each_in for _, channels in parts):
        return None
    weights: list[Weights] = []
    for i, (a, b) in enumerate(_spans(parts)):
        first, last = a // each_in * each_out, b // each_in * each_out
        own = kernel[a:b] if transposed else kernel[first:last]
        stem = f"{node.output[0]}.part{i}"
        weights.append({f"{stem}.weight": own})
        weights[-1] |= {f"{stem}.bias": b[first:last] for b in bias}
    return _beside(node, parts, weights, [{"group": c // each_in} for _, c in parts])


def _summed(
    node: onnx.NodeProto,
    parts: list[tuple[str, int]],
    given: list[npt.NDArray[np.float32]],
    depends: Dependencies,
) -> tuple[list[onnx.NodeProto], Weights] | None:
    """conv_f(f) with the bias, plus conv_b(b), where that saves at least WORTH MACs per output."""
    kernel, *bias = given
    axis = 0 if node.op_type == "ConvTranspose" else 1
    sides: dict[str, list[tuple[str, tuple[int, int]]]] = {"frame": [], "scene": []}
    for (name, _), span in zip(parts, _spans(parts), strict=True):
        sides["frame" if name in depends.framed else "scene"].append((name, span))
    saved = sum(b - a for _, (a, b) in sides["scene"])
    if axis == 1 and saved * int(np.prod(kernel.shape[2:])) < WORTH:
        return None
    nodes, weights = [], {}
    for tag, chosen in sides.items():
        stem = f"{node.output[0]}.{tag}"
        data = chosen[0][0]
        if len(chosen) > 1:
            data = f"{stem}.data"
            names = [name for name, _ in chosen]
            nodes.append(
                helper.make_node("Concat", names, [data], f"{node.name}.{tag}.cat", axis=1)
            )
        rows = np.concatenate([np.arange(a, b) for _, (a, b) in chosen])
        weights[f"{stem}.weight"] = np.ascontiguousarray(kernel.take(rows, axis))
        extra = [*node.input[2:]] if tag == "frame" and bias else []
        nodes.append(_like(node, tag, [data, f"{stem}.weight", *extra]))
    results = [f"{node.output[0]}.{tag}" for tag in sides]
    nodes.append(helper.make_node("Add", results, [node.output[0]], f"{node.name}.sum"))
    return nodes, weights


def _drop_unread(graph: onnx.GraphProto) -> None:
    """Remove nodes and weights that nothing reads any more."""
    needed = {value.name for value in graph.output}
    for node in reversed(list(graph.node)):
        if needed.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            needed.update(input_names(node))
    kept = [w for w in graph.initializer if w.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(kept)
