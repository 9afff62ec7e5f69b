"""The depth of the scene in a network: find it, name it, and let another network give it.

A network that knows the scene blends two depths by a mask, that of what is new and that of the
scene: `scene + share * (new - scene)` or `scene * (1 - share) + new * share`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from edge.errors import UsageError
from edge.graph.dependencies import SCENE_INPUTS, dependencies, input_names, tensor_shapes
from edge.graph.depth_network import DepthNetwork, depth_graph
from edge.graph.opset import opset_of, with_opset
from edge.graph.resize import image_size
from edge.manifest import SCENE_DEPTH

RESHAPES = {"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}
"""Operators that keep the order of the values."""
LIMITS = {"Clip", "Max", "Min"}


def find_scene_depth(model: onnx.ModelProto) -> tuple[str, str] | None:
    """Find the depth of the scene that a network blends into its output `depth`.

    Args:
        model: A conforming network, with the shapes of its tensors.

    Returns:
        The tensor that the blend reads, and the float [1, 1, H, W] that it is a reshaped form of;
        None where the network has none.
    """
    graph = model.graph
    depends = dependencies(graph)
    makers = {name: node for node in graph.node for name in node.output}
    ones = {w.name for w in graph.initializer if np.all(numpy_helper.to_array(w) == 1)}

    def root(name: str) -> str:
        while name in makers and makers[name].op_type in RESHAPES:
            name = makers[name].input[0]
        return name

    def made_by(name: str, operator: str) -> list[str]:
        """The inputs of the node of that kind that makes a tensor, but for its shape."""
        node = makers.get(root(name))
        return list(node.input) if node is not None and node.op_type == operator else []

    def blended() -> Iterator[str]:
        name = root("depth")
        while name in makers and makers[name].op_type in LIMITS:
            name = root(next(each for each in makers[name].input if each in depends.framed))
        for first, second in _both_ways(made_by(name, "Add")):
            differences = [made_by(factor, "Sub") for factor in made_by(second, "Mul")]
            if first in depends.scene and any(
                names and root(names[1]) == root(first) for names in differences
            ):
                yield first
            shares = {root(factor) for factor in made_by(second, "Mul")}
            for scene, rest in _both_ways(made_by(first, "Mul")):
                complement = made_by(rest, "Sub")
                if (
                    scene in depends.scene
                    and complement
                    and complement[0] in ones
                    and root(complement[1]) in shares
                ):
                    yield scene

    found = next(blended(), None)
    if found is None or root(found) in SCENE_INPUTS:
        return None
    height, width = image_size(model)
    if tensor_shapes(graph).get(root(found)) != [1, 1, height, width]:
        return None
    return found, root(found)


def _both_ways(names: list[str]) -> list[tuple[str, str]]:
    return [(names[0], names[1]), (names[1], names[0])] if len(names) == 2 else []


def name_scene_depth(model: onnx.ModelProto) -> None:
    """Give the scene's depth, as the blend reads it, the name SCENE_DEPTH, in place.

    No other tensor keeps that name.
    """
    found = find_scene_depth(model)
    if found is not None:
        _rename(model.graph, {found[0]: SCENE_DEPTH, SCENE_DEPTH: found[0]})
    else:
        _rename(model.graph, {SCENE_DEPTH: f"{SCENE_DEPTH}.other"})


def with_scene_depth(model: onnx.ModelProto, network: DepthNetwork) -> onnx.ModelProto:
    """Return the model with the depth of the scene given by another network.

    Everything that read the model's own depth of the scene reads the other one. The metadata says
    which file it is.

    Raises:
        UsageError: The model has no depth of the scene.
    """
    typed = onnx.shape_inference.infer_shapes(model, data_prop=True)
    found = find_scene_depth(typed)
    if found is None:
        raise UsageError(
            "the network computes no depth of the scene that --scene-depth could replace",
            "take one with the inputs bg and fg_bg and the output depth that does, as the bundled"
            " ones do",
        )
    own, replacement = found[1], "depth_network.depth"
    opset = max(opset_of(model), opset_of(network.model))
    copy = onnx.ModelProto.FromString(with_opset(model, opset).SerializeToString())
    given = depth_graph(network, *image_size(model), "bg", replacement, opset)
    _rename(copy.graph, {own: replacement})
    nodes = [node for node in copy.graph.node if replacement not in node.output]
    needed = {value.name for value in copy.graph.output}
    kept: list[onnx.NodeProto] = []
    for node in reversed([*given.graph.node, *nodes]):
        if not needed.isdisjoint(node.output):
            needed.update(input_names(node))
            kept.insert(0, node)
    weights = [w for w in (*given.graph.initializer, *copy.graph.initializer) if w.name in needed]
    del copy.graph.node[:], copy.graph.initializer[:], copy.graph.value_info[:]
    copy.graph.node.extend(kept)
    copy.graph.initializer.extend(weights)
    copy.ir_version = max(copy.ir_version, given.ir_version)
    for key, value in network.metadata().items():
        copy.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(copy)
    return onnx.shape_inference.infer_shapes(copy, strict_mode=True, data_prop=True)


def _rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Rename tensors of a graph and of its subgraphs, in place."""
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                _rename(inner, names)
    for tensor in (*graph.initializer, *graph.value_info):
        tensor.name = names.get(tensor.name, tensor.name)
