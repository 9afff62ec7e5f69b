"""Give the scene tensors the form in which a CPU runtime's kernels read them.

The cameras of a process share one compiled frame graph, so their scene tensors are inputs of it. A
runtime rearranges an input at every frame unless it comes as the kernels take it.
"""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

from edge.graph.dependencies import input_names
from edge.manifest import SCENE_DEPTH

LAYERS = {"Conv", "ConvTranspose"}
CHANNELS_LAST, CHANNELS_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


def ready_scene_tensors(
    background: onnx.ModelProto, frame: onnx.ModelProto, float16: bool = False
) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """Move what a frame graph does to its scene tensors alone into the background graph.

    A tensor that leads to a convolution becomes [N, H, W, C]. One that is only subtracted is
    negated: a runtime turns the difference into a sum. The scene's depth stays as it is:
    programs read it.

    Args:
        background: From bg to the scene tensors, float32 [N, C, H, W].
        frame: Takes them by the same names.
        float16: Tensors that are subtracted from int8 ones become float16, which has eight times
            their resolution or more.

    Returns:
        Both graphs, rewritten. The names stay. Without `float16` the results are the same bits.
    """
    background, frame = (
        onnx.ModelProto.FromString(model.SerializeToString()) for model in (background, frame)
    )
    outputs = {value.name: value for value in background.graph.output}
    for value in frame.graph.input:
        if value.name == SCENE_DEPTH:
            continue
        if value.name in outputs and _leads_to_layer(frame.graph, value.name):
            _make_ready(background.graph, frame.graph, outputs[value.name], value, float16)
    for model in (background, frame):
        onnx.checker.check_model(model)
    return background, frame


def _leads_to_layer(graph: onnx.GraphProto, name: str) -> bool:
    """Whether a tensor of four sides reaches a convolution; the nodes are in graph order."""
    value = next(v for v in graph.input if v.name == name)
    reached = {name}
    for node in graph.node:
        if reached.isdisjoint(input_names(node)):
            continue
        if node.op_type in LAYERS:
            return len(value.type.tensor_type.shape.dim) == 4
        reached.update(node.output)
    return False


def _make_ready(
    background: onnx.GraphProto,
    frame: onnx.GraphProto,
    given: onnx.ValueInfoProto,
    taken: onnx.ValueInfoProto,
    float16: bool,
) -> None:
    """Rewrite one scene tensor: given by the background graph, taken by the frame graph."""
    name, plain = given.name, f"{given.name}.plain"
    for node in background.node:
        for names in (node.input, node.output):
            names[:] = [plain if each == name else each for each in names]
    known = [value for value in background.value_info if value.name != name]
    del background.value_info[:]
    background.value_info.extend(known)

    readers = [node for node in frame.node if name in node.input]
    half = float16 and _subtracted_from_int8(frame, readers, name)
    dtype = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    last, first = plain, f"{name}.first"
    if all(node.op_type == "Sub" and node.input[0] != name for node in readers):
        last = f"{name}.negative"
        background.node.append(helper.make_node("Neg", [plain], [last], last))
        for node in readers:
            node.op_type = "Add"
    if half:
        background.node.append(
            helper.make_node("Cast", [last], [f"{name}.half"], f"{name}.half", to=dtype)
        )
        last = f"{name}.half"
    background.node.append(
        helper.make_node("Transpose", [last], [name], f"{name}.last", perm=CHANNELS_LAST)
    )
    nodes = [helper.make_node("Transpose", [name], [first], first, perm=CHANNELS_FIRST)]
    if half:
        full = f"{name}.full"
        nodes.append(helper.make_node("Cast", [first], [full], full, to=TensorProto.FLOAT))
        first = full
    for node in readers:
        node.input[:] = [first if each == name else each for each in node.input]
    nodes += frame.node
    del frame.node[:]
    frame.node.extend(nodes)
    sides = [given.type.tensor_type.shape.dim[axis].dim_value for axis in CHANNELS_LAST]
    for value in (given, taken):
        value.CopyFrom(helper.make_tensor_value_info(name, dtype, sides))


def _subtracted_from_int8(frame: onnx.GraphProto, readers: list[onnx.NodeProto], name: str) -> bool:
    """Whether all that a scene tensor is for is its difference from int8 tensors."""
    int8 = {
        output
        for node in frame.node
        if node.op_type == "DequantizeLinear"
        for output in node.output
    }
    return all(
        node.op_type == "Sub" and all(each in int8 for each in node.input if each != name)
        for node in readers
    )
