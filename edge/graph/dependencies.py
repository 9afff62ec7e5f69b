"""The tensors of a network that the scene fixes, and those that depend on the frame."""

from __future__ import annotations

from dataclasses import dataclass, field

import onnx

from edge.manifest import FRAME_INPUT

SCENE_INPUTS = ("bg", "spread")
"""The images that the scene fixes: constants while a camera sees the same scene."""
IMAGES = (*SCENE_INPUTS, FRAME_INPUT)


@dataclass
class Dependencies:
    """The tensors of a graph by the inputs that they depend on, and the nodes that make them.

    Attributes:
        scene: Tensors that depend on images of the scene alone.
        framed: Tensors that depend on any other input.
        scene_nodes: Nodes that make the tensors of `scene`, in graph order.
        frame_nodes: Nodes that make the tensors of `framed`, in graph order.
        free_nodes: Nodes that depend on no input.
    """

    scene: set[str] = field(default_factory=set)
    framed: set[str] = field(default_factory=set)
    scene_nodes: list[onnx.NodeProto] = field(default_factory=list)
    frame_nodes: list[onnx.NodeProto] = field(default_factory=list)
    free_nodes: list[onnx.NodeProto] = field(default_factory=list)


def input_names(node: onnx.NodeProto) -> list[str]:
    """List the tensors that a node reads, in its subgraphs too; without omitted optional ones."""
    subgraphs = [graph for a in node.attribute for graph in (a.g, *a.graphs)]
    captured = (name for graph in subgraphs for name in _outer_names(graph))
    return [*filter(None, node.input), *dict.fromkeys(captured)]


def _outer_names(graph: onnx.GraphProto) -> list[str]:
    """The tensors that a subgraph reads from the graph around it."""
    own = {value.name for value in (*graph.input, *graph.initializer)}
    own.update(name for node in graph.node for name in node.output)
    read = [name for node in graph.node for name in input_names(node)]
    return [name for name in (*read, *(v.name for v in graph.output)) if name and name not in own]


def dependencies(graph: onnx.GraphProto) -> Dependencies:
    """Follow the inputs through a graph, whose nodes are in topological order."""
    inputs = {value.name for value in graph.input}
    scene = inputs.intersection(SCENE_INPUTS)
    result = Dependencies(scene, inputs - scene)
    for node in graph.node:
        if result.framed.intersection(input_names(node)):
            result.frame_nodes.append(node)
            result.framed.update(node.output)
        elif result.scene.intersection(input_names(node)):
            result.scene_nodes.append(node)
            result.scene.update(node.output)
        else:
            result.free_nodes.append(node)
    return result


def tensor_shapes(graph: onnx.GraphProto) -> dict[str, list[int]]:
    """Return the known shapes of tensors and weights, with 0 for an unknown side."""
    values = (*graph.value_info, *graph.input, *graph.output)
    known = {v.name: [side.dim_value for side in v.type.tensor_type.shape.dim] for v in values}
    return known | {w.name: list(w.dims) for w in graph.initializer}
