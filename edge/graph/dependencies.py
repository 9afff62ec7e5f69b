"""Which tensors of a network come from the empty scene, which from the frame."""

from __future__ import annotations

from dataclasses import dataclass, field

import onnx

SCENE_INPUT = "bg"
FRAME_INPUT = "fg_bg"


@dataclass
class Dependencies:
    """scene: tensors that come from `bg` alone; framed: those that any other input reaches.

    What is in neither is a constant. The nodes are those that make the tensors, in their order.
    """

    scene: set[str] = field(default_factory=set)
    framed: set[str] = field(default_factory=set)
    scene_nodes: list[onnx.NodeProto] = field(default_factory=list)
    frame_nodes: list[onnx.NodeProto] = field(default_factory=list)
    free_nodes: list[onnx.NodeProto] = field(default_factory=list)


def input_names(node: onnx.NodeProto) -> list[str]:
    return [name for name in node.input if name]


def dependencies(graph: onnx.GraphProto) -> Dependencies:
    """Follow the inputs through the graph, whose nodes stand in the order in which they run."""
    inputs = {value.name for value in graph.input}
    found = Dependencies({SCENE_INPUT} & inputs, inputs - {SCENE_INPUT})
    for node in graph.node:
        if found.framed.intersection(input_names(node)):
            found.frame_nodes.append(node)
            found.framed.update(node.output)
        elif found.scene.intersection(input_names(node)):
            found.scene_nodes.append(node)
            found.scene.update(node.output)
        else:
            found.free_nodes.append(node)
    return found


def tensor_shapes(graph: onnx.GraphProto) -> dict[str, list[int]]:
    """Sides of every tensor whose shape is known (0 for a side that is not), weights included."""
    values = (*graph.value_info, *graph.input, *graph.output)
    known = {v.name: [side.dim_value for side in v.type.tensor_type.shape.dim] for v in values}
    return known | {w.name: list(w.dims) for w in graph.initializer}
