"""Split a network at the constants of the scene.

The camera is fixed, so whatever depends on `bg` alone is computed once per scene. `split` finds it
in the graph, whatever the network is, and gives two graphs: `background` (bg to named scene
tensors) and `frame` (fg_bg and the scene tensors to the outputs). Nothing is approximated: both
hold the very nodes of the network.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx
from onnx import TensorProto, helper

from edge.errors import EdgeError

SCENE_INPUT = "bg"
FRAME_INPUT = "fg_bg"


@dataclass(frozen=True)
class Split:
    """background is None where nothing depends on bg alone (then frame is the whole network).

    scene: names of the tensors that background gives and frame takes.
    folded, kept: how many nodes moved to the background graph, how many run per frame.
    """

    background: onnx.ModelProto | None
    frame: onnx.ModelProto
    scene: tuple[str, ...]
    folded: int
    kept: int


def _reads(node: onnx.NodeProto) -> list[str]:
    return [name for name in node.input if name]


def _model(
    model: onnx.ModelProto,
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    name: str,
) -> onnx.ModelProto:
    """A model of some of the nodes, with the initializers that they read and the same metadata."""
    read = {tensor for node in nodes for tensor in _reads(node)}
    weights = [w for w in model.graph.initializer if w.name in read]
    made = {tensor for node in nodes for tensor in node.output}
    known = [info for info in model.graph.value_info if info.name in made]
    graph = helper.make_graph(nodes, name, inputs, outputs, weights, value_info=known)
    part = helper.make_model(graph, opset_imports=list(model.opset_import))
    part.ir_version = model.ir_version
    part.producer_name, part.producer_version = model.producer_name, model.producer_version
    part.metadata_props.extend(model.metadata_props)
    onnx.checker.check_model(part)
    return part


def split(model: onnx.ModelProto) -> Split:
    """Split `model` (inputs bg and fg_bg, or fg_bg alone) at the constants of the scene."""
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    graph = model.graph
    inputs = {value.name: value for value in graph.input}
    if FRAME_INPUT not in inputs:
        raise EdgeError(f"the network has no input `{FRAME_INPUT}`; found {', '.join(inputs)}")
    if SCENE_INPUT not in inputs:
        return Split(None, model, (), 0, len(graph.node))

    # A tensor is of the scene if bg is its only source, free if it has none (a constant).
    scene, framed = {SCENE_INPUT}, set(inputs) - {SCENE_INPUT}
    scene_nodes, frame_nodes, free_nodes = [], [], []
    for node in graph.node:
        reads = set(_reads(node))
        if reads & framed:
            frame_nodes.append(node)
            framed.update(node.output)
        elif reads & scene:
            scene_nodes.append(node)
            scene.update(node.output)
        else:
            free_nodes.append(node)

    def with_constants(nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
        needed = {tensor for node in nodes for tensor in _reads(node)}
        kept: list[onnx.NodeProto] = []
        for node in reversed(free_nodes):
            if needed & set(node.output):
                needed.update(_reads(node))
                kept.insert(0, node)
        return kept + nodes

    outputs = {value.name: value for value in graph.output}
    read_per_frame = {tensor for node in frame_nodes for tensor in _reads(node)}
    order = [SCENE_INPUT, *(tensor for node in scene_nodes for tensor in node.output)]
    border = [name for name in order if name in read_per_frame]
    if only_scene := [name for name in outputs if name not in framed]:
        raise EdgeError(
            f"output {', '.join(only_scene)} does not depend on `{FRAME_INPUT}`:"
            " it is a constant of the scene, not an answer about a frame"
        )
    if border == [SCENE_INPUT] or not scene_nodes:
        return Split(None, model, (), 0, len(graph.node))

    shapes = {value.name: value for value in (*graph.value_info, *graph.input)}
    infos = [shapes[name] for name in border]
    float_infos = [
        helper.make_tensor_value_info(
            info.name,
            info.type.tensor_type.elem_type or TensorProto.FLOAT,
            [side.dim_value for side in info.type.tensor_type.shape.dim],
        )
        for info in infos
    ]
    given = [info for info in float_infos if info.name != SCENE_INPUT]
    background = _model(
        model, with_constants(scene_nodes), [inputs[SCENE_INPUT]], given, "background"
    )
    frame = _model(
        model,
        with_constants(frame_nodes),
        [inputs[FRAME_INPUT], *float_infos],
        list(graph.output),
        "frame",
    )
    return Split(
        background,
        frame,
        tuple(info.name for info in given),
        len(scene_nodes),
        len(frame_nodes),
    )
