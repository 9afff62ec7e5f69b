"""Split a network into the part that the scene fixes and the part that runs per frame.

The camera is fixed, so tensors that depend on `bg` and `spread` alone are constants of the scene.
`split` finds them in any network and returns two graphs: `background` (bg and spread to named scene
tensors) and `frame` (fg_bg and the scene tensors to the outputs). The result is exact: both graphs
hold the nodes of the network, after layers over both inputs were distributed
(edge/graph/split_concat.py). The split states the reason for whatever cannot be folded.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx
from onnx import TensorProto, helper

from edge.errors import EdgeError
from edge.graph.dependencies import SCENE_INPUTS, Dependencies, dependencies, input_names
from edge.graph.profile import macs
from edge.graph.scene_depth import name_scene_depth
from edge.graph.split_concat import mixes, split_concat
from edge.manifest import FRAME_INPUT

NORMALISATIONS = {
    "GroupNormalization", "InstanceNormalization", "LayerNormalization", "LpNormalization",
    "MeanVarianceNormalization", "ReduceMean", "Softmax",
}  # fmt: skip
MEETINGS = {"Add", "Concat", "Div", "Max", "Mean", "Min", "Mul", "Pow", "Sub", "Sum", "Where"}
"""Operators that may combine frame and background without work that could be folded."""


@dataclass(frozen=True)
class Split:
    """A network split at the constants of the scene.

    Attributes:
        background: None where nothing depends on the scene alone; then frame is the whole network.
        frame: The graph that runs per frame.
        scene: Names of the tensors that background returns and frame takes.
        distributed: Names of the sums that replace layers over frame and background.
        unfolded: Why operators that read the background run at every frame, one sentence each.
    """

    background: onnx.ModelProto | None
    frame: onnx.ModelProto
    scene: tuple[str, ...]
    distributed: tuple[str, ...] = ()
    unfolded: tuple[str, ...] = ()

    def report(self) -> dict[str, object]:
        """Return the entry of the manifest; MACs are per frame and per background image."""
        return {
            "frame_macs": macs(self.frame),
            "background_macs": macs(self.background) if self.background else 0,
            "distributed": list(self.distributed),
            "unfolded": list(self.unfolded),
        }


def split(model: onnx.ModelProto) -> Split:
    """Split a network at the constants of the scene.

    Args:
        model: A network with the input fg_bg, and with bg and spread or without.

    Raises:
        EdgeError: There is no input fg_bg, or an output depends on the scene alone.
    """
    inputs = {value.name: value for value in model.graph.input}
    if FRAME_INPUT not in inputs:
        raise EdgeError(f"the network has no input `{FRAME_INPUT}`; found {', '.join(inputs)}")
    if inputs.keys().isdisjoint(SCENE_INPUTS):
        return Split(None, model, ())
    original = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    model, distributed = split_concat(original)
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    name_scene_depth(model)
    depends = dependencies(model.graph)
    reasons = _why_unfolded(model.graph, depends)
    if fixed := [v.name for v in model.graph.output if v.name not in depends.framed]:
        raise EdgeError(
            f"output {', '.join(fixed)} does not depend on `{FRAME_INPUT}`:"
            " it is a constant of the scene, not an answer about a frame"
        )
    border = _border(depends)
    infos = [_tensor_info(model.graph, name) for name in border]
    scene = [info for info in infos if info.name not in SCENE_INPUTS]
    if not scene:
        return Split(None, original, (), (), reasons)
    read = {tensor for node in depends.scene_nodes for tensor in input_names(node)}
    background = _part(
        model,
        [*_constant_nodes(depends, depends.scene_nodes), *depends.scene_nodes],
        [inputs[name] for name in SCENE_INPUTS if name in read],
        scene,
        "background",
    )
    frame = _part(
        model,
        [*_constant_nodes(depends, depends.frame_nodes), *depends.frame_nodes],
        [inputs[FRAME_INPUT], *infos],
        list(model.graph.output),
        "frame",
    )
    return Split(background, frame, tuple(info.name for info in scene), distributed, reasons)


def _border(depends: Dependencies) -> list[str]:
    """The scene tensors that frame nodes read, in graph order."""
    read_per_frame = {tensor for node in depends.frame_nodes for tensor in input_names(node)}
    order = [*SCENE_INPUTS, *(tensor for node in depends.scene_nodes for tensor in node.output)]
    return [name for name in order if name in read_per_frame]


def _constant_nodes(depends: Dependencies, nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """The nodes without inputs of their own that the given nodes need, in graph order."""
    needed = {tensor for node in nodes for tensor in input_names(node)}
    kept: list[onnx.NodeProto] = []
    for node in reversed(depends.free_nodes):
        if needed & set(node.output):
            needed.update(input_names(node))
            kept.insert(0, node)
    return kept


def _tensor_info(graph: onnx.GraphProto, name: str) -> onnx.ValueInfoProto:
    """Name, type and sides of a tensor, as an input or output of a graph."""
    value = next(v for v in (*graph.input, *graph.value_info) if v.name == name)
    tensor = value.type.tensor_type
    sides = [side.dim_value for side in tensor.shape.dim]
    return helper.make_tensor_value_info(name, tensor.elem_type or TensorProto.FLOAT, sides)


def _part(
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


def _why_unfolded(graph: onnx.GraphProto, depends: Dependencies) -> tuple[str, ...]:
    """One sentence per operator that keeps work on the background in the frame graph."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in input_names(node):
            readers.setdefault(name, []).append(node)
    reasons = []
    for node in depends.frame_nodes:
        if depends.scene.isdisjoint(input_names(node)):
            continue
        if node.op_type not in MEETINGS:
            reasons.append(f"{node.op_type} `{node.name}` reads frame and background at once")
        elif node.op_type == "Concat" and not mixes(node, depends):
            reasons.append(_why_concat_stays(node))
        elif node.op_type == "Concat":
            for reader in readers.get(node.output[0], []):
                if reader.op_type in ("Conv", "ConvTranspose"):
                    continue  # too few background channels for a sum to pay off
                normalises = reader.op_type in NORMALISATIONS
                verb = "normalises over" if normalises else "reads"
                reasons.append(
                    f"{reader.op_type} `{reader.name}` {verb} the concatenation of frame and"
                    " background; it runs at every frame"
                )
    return tuple(reasons)


def _why_concat_stays(node: onnx.NodeProto) -> str:
    axis = next(a.i for a in node.attribute if a.name == "axis")
    if axis == 0:
        return (
            f"`{node.name}` stacks frame and background into one batch, which is encoded at every"
            " frame; export the network with one call of its encoder per image"
        )
    return (
        f"`{node.name}` joins frame and background along axis {axis}; only layers over a"
        " concatenation of channels (axis 1) can be distributed"
    )
