"""Give the scene tensors the form in which a CPU runtime's kernels read them.

The cameras of a process share one compiled frame graph, so their scene tensors are inputs of it. A
runtime converts an input at every frame unless it comes as the kernels take it: channels last, and
quantized where the frame's side of a difference is.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge.graph.dependencies import input_names

LAYERS = {"Conv", "ConvTranspose"}
CHANNELS_LAST, CHANNELS_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


def ready_scene_tensors(
    background: onnx.ModelProto, frame: onnx.ModelProto
) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """Move what a frame graph does to its scene tensors alone into the background graph.

    - A tensor that leads to a convolution becomes [N, H, W, C].
    - One that is subtracted from an int8 tensor of the frame becomes uint8 on that tensor's scale:
      both sides of the difference then have the same rounding.
    - Any other that is only subtracted is negated: runtimes turn a difference into a sum.

    Args:
        background: From bg to the scene tensors, float32 [N, C, H, W].
        frame: Takes them by the same names; float, or with Q/DQ nodes for a CPU.

    Returns:
        Both graphs, rewritten. The names stay; without an int8 difference the results are exact.
    """
    background, frame = (
        onnx.ModelProto.FromString(model.SerializeToString()) for model in (background, frame)
    )
    outputs = {value.name: value for value in background.graph.output}
    for value in frame.graph.input:
        if value.name in outputs and _leads_to_layer(frame.graph, value.name):
            _make_ready(background.graph, frame.graph, outputs[value.name], value)
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
) -> None:
    """Rewrite one scene tensor: given by the background graph, taken by the frame graph."""
    name, plain = given.name, f"{given.name}.float"
    for node in background.node:
        for names in (node.input, node.output):
            names[:] = [plain if each == name else each for each in names]
    known = [value for value in background.value_info if value.name != name]
    del background.value_info[:]
    background.value_info.extend(known)

    readers = [node for node in frame.node if name in node.input]
    steps, back = [plain], [f"{name}.planes"]
    if scale := _shared_scale(frame, readers, name):
        dtype = TensorProto.UINT8
        background.initializer.extend(_renamed(scale, name))
        keys = [f"{name}.scale", f"{name}.zero"]
        steps.append(f"{name}.quantized")
        background.node.append(helper.make_node("QuantizeLinear", [plain, *keys], steps[-1:]))
        frame.initializer.extend(_renamed(scale, name))
        back.append(f"{name}.dequantized")
        converted = [helper.make_node("DequantizeLinear", [back[0], *keys], back[1:])]
    else:
        dtype, converted = TensorProto.FLOAT, []
        if all(node.op_type == "Sub" and node.input[0] != name for node in readers):
            steps.append(f"{name}.negative")
            background.node.append(helper.make_node("Neg", [plain], steps[-1:]))
            for node in readers:
                node.op_type = "Add"
    background.node.append(
        helper.make_node("Transpose", steps[-1:], [name], f"{name}.last", perm=CHANNELS_LAST)
    )
    for node in readers:
        node.input[:] = [back[-1] if each == name else each for each in node.input]
    first = helper.make_node("Transpose", [name], back[:1], f"{name}.first", perm=CHANNELS_FIRST)
    nodes = [first, *converted, *frame.node]
    del frame.node[:]
    frame.node.extend(nodes)
    sides = [given.type.tensor_type.shape.dim[axis].dim_value for axis in CHANNELS_LAST]
    for value in (given, taken):
        value.CopyFrom(helper.make_tensor_value_info(name, dtype, sides))


def _shared_scale(
    frame: onnx.GraphProto, readers: list[onnx.NodeProto], name: str
) -> list[onnx.TensorProto] | None:
    """Scale and zero point of the uint8 tensors that all readers compare the scene tensor with;
    None where one does something else, or where they differ."""
    makers = {output: node for node in frame.node for output in node.output}
    weights = {weight.name: weight for weight in frame.initializer}
    found: list[onnx.TensorProto] | None = None
    for node in readers:
        others = [makers.get(each) for each in node.input if each != name]
        if node.op_type != "Sub" or len(others) != 1:
            return None
        other = others[0]
        if other is None or other.op_type != "DequantizeLinear":
            return None
        scale = [weights[key] for key in other.input[1:] if key in weights]
        if len(scale) != 2 or scale[1].data_type != TensorProto.UINT8 or any(s.dims for s in scale):
            return None
        if found is not None and any(
            not np.array_equal(numpy_helper.to_array(a), numpy_helper.to_array(b))
            for a, b in zip(found, scale, strict=True)
        ):
            return None
        found = scale
    return found


def _renamed(scale: list[onnx.TensorProto], name: str) -> list[onnx.TensorProto]:
    """Copies of scale and zero point under the scene tensor's own names."""
    return [
        numpy_helper.from_array(numpy_helper.to_array(tensor), f"{name}.{part}")
        for tensor, part in zip(scale, ("scale", "zero"), strict=True)
    ]
