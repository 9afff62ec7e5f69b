"""Split a network at the constants of the scene.

The camera is fixed, so whatever depends on `bg` alone is computed once per scene. `split` finds it
in the graph, whatever the network is, and gives two graphs: `background` (bg to named scene
tensors) and `frame` (fg_bg and the scene tensors to the outputs). Nothing is approximated: both
hold the very nodes of the network, after layers that read both pictures were taken apart
(edge/graph/apart.py). What cannot be folded is said with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx
from onnx import TensorProto, helper

from edge.errors import EdgeError
from edge.graph.dependencies import (
    FRAME_INPUT,
    SCENE_INPUT,
    Dependencies,
    dependencies,
    input_names,
)
from edge.graph.profile import macs
from edge.graph.split_concat import mixes, split_concat

NORMALISATIONS = {
    "GroupNormalization", "InstanceNormalization", "LayerNormalization", "LpNormalization",
    "MeanVarianceNormalization", "ReduceMean", "Softmax",
}  # fmt: skip
MEETINGS = {"Add", "Concat", "Div", "Max", "Mean", "Min", "Mul", "Pow", "Sub", "Sum", "Where"}
"""Operators at which frame and scene may meet: what comes before them is apart."""


@dataclass(frozen=True)
class Split:
    """background is None where nothing depends on bg alone (then frame is the whole network).

    scene: names of the tensors that background gives and frame takes.
    apart: layers that read frame and background and were made a sum of two.
    unfolded: why something that reads the background runs at every frame, a sentence each.
    """

    background: onnx.ModelProto | None
    frame: onnx.ModelProto
    scene: tuple[str, ...]
    apart: tuple[str, ...] = ()
    unfolded: tuple[str, ...] = ()

    def report(self) -> dict[str, object]:
        """What folding did, for people and for the manifest; MACs are per picture."""
        return {
            "frame_macs": macs(self.frame),
            "background_macs": macs(self.background) if self.background else 0,
            "apart": list(self.apart),
            "unfolded": list(self.unfolded),
        }


def _model(
    model: onnx.ModelProto,
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    name: str,
) -> onnx.ModelProto:
    """A model of some of the nodes, with the initializers that they read and the same metadata."""
    read = {tensor for node in nodes for tensor in input_names(node)}
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


def _why_unfolded(graph: onnx.GraphProto, found: Dependencies) -> tuple[str, ...]:
    """What keeps work of the background in the frame's graph."""
    reasons = []
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in input_names(node):
            readers.setdefault(name, []).append(node)
    for node in found.frame_nodes:
        if found.scene.isdisjoint(input_names(node)):
            continue
        if node.op_type not in MEETINGS:
            reasons.append(f"{node.op_type} `{node.name}` reads frame and background at once")
        elif node.op_type == "Concat" and not mixes(node, found):
            axis = next(a.i for a in node.attribute if a.name == "axis")
            reasons.append(
                f"`{node.name}` stacks frame and background into one batch, which is encoded at"
                " every frame; export the network with one call of its encoder for each picture"
                if axis == 0
                else f"`{node.name}` joins frame and background along axis {axis};"
                " only channels can be taken apart"
            )
        elif node.op_type == "Concat":
            for reader in readers.get(node.output[0], []):
                if reader.op_type in NORMALISATIONS:
                    what = "normalises over the concatenation of frame and background"
                elif reader.op_type in ("Conv", "ConvTranspose"):
                    continue  # too few channels of the scene to be worth a sum
                else:
                    what = "reads the concatenation of frame and background"
                reasons.append(f"{reader.op_type} `{reader.name}` {what}; it runs at every frame")
    return tuple(reasons)


def split(model: onnx.ModelProto) -> Split:
    """Split `model` (inputs bg and fg_bg, or fg_bg alone) at the constants of the scene."""
    inputs = {value.name: value for value in model.graph.input}
    if FRAME_INPUT not in inputs:
        raise EdgeError(f"the network has no input `{FRAME_INPUT}`; found {', '.join(inputs)}")
    if SCENE_INPUT not in inputs:
        return Split(None, model, ())
    original = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    model, summed = split_concat(original)
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    graph = model.graph
    found = dependencies(graph)
    scene_nodes, frame_nodes, framed = found.scene_nodes, found.frame_nodes, found.framed
    why = _why_unfolded(graph, found)

    def with_constants(nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
        needed = {tensor for node in nodes for tensor in input_names(node)}
        kept: list[onnx.NodeProto] = []
        for node in reversed(found.free_nodes):
            if needed & set(node.output):
                needed.update(input_names(node))
                kept.insert(0, node)
        return kept + nodes

    outputs = {value.name: value for value in graph.output}
    read_per_frame = {tensor for node in frame_nodes for tensor in input_names(node)}
    order = [SCENE_INPUT, *(tensor for node in scene_nodes for tensor in node.output)]
    border = [name for name in order if name in read_per_frame]
    if only_scene := [name for name in outputs if name not in framed]:
        raise EdgeError(
            f"output {', '.join(only_scene)} does not depend on `{FRAME_INPUT}`:"
            " it is a constant of the scene, not an answer about a frame"
        )
    if border == [SCENE_INPUT] or not scene_nodes:
        return Split(None, original, (), (), why)

    known = {value.name: value for value in (*graph.value_info, *graph.input)}
    infos = [known[name] for name in border]
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
    return Split(background, frame, tuple(info.name for info in given), summed, why)
