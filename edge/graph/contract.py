"""The contract of a network: its inputs and outputs, for one frame at a time.

fg_bg        uint8 [1, H, W, 3]      the frame
bg, spread   uint8 [1, H, W, 3]      the scene; may be missing, spread also where bg is not
mask, depth  float32 [1, 1, H, W]    0..1; one of them may be missing

Exporters write the same network in many ways; `conform` brings them into one form.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import inliner, numpy_helper

from edge.errors import EdgeError
from edge.graph.constants import with_initializers
from edge.graph.dependencies import IMAGES, input_names
from edge.graph.float32 import with_float32
from edge.graph.names import with_unique_names
from edge.graph.opset import with_opset
from edge.graph.resize import image_size

OUTPUTS = ("mask", "depth")

LAYERS = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
PASSES = {
    "BatchNormalization", "Cast", "DepthToSpace", "Flatten", "Identity", "Reshape", "Resize",
    "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze", "Upsample",
}  # fmt: skip
"""Operators that keep, move, interpolate or scale the values of their first input."""


def conform(model: onnx.ModelProto) -> onnx.ModelProto:
    """Bring a network into the form that folding, calibration and the targets expect.

    Local functions are inlined, float16 and float64 become float32, an older opset is converted,
    constants become initializers, every node gets a unique name, and an open batch becomes 1. The
    values stay the same.

    Args:
        model: A network that passes the ONNX checker.

    Returns:
        A conforming copy, or `model` itself where nothing had to change.

    Raises:
        EdgeError: The network breaks the contract.
    """
    height, width = image_size(model)
    inlined = inliner.inline_local_functions(model) if model.functions else model
    _refuse_other_domains(inlined)
    conformed = with_unique_names(with_initializers(with_opset(with_float32(inlined))))
    copy = onnx.ModelProto.FromString(conformed.SerializeToString())
    for kind, values, known in (
        ("input", copy.graph.input, IMAGES),
        ("output", copy.graph.output, OUTPUTS),
    ):
        for value in values:
            if value.name not in known:
                raise EdgeError(f"{kind} {value.name} is none of {', '.join(known)}")
    inputs = {value.name for value in copy.graph.input}
    if "spread" in inputs and "bg" not in inputs:
        raise EdgeError("it takes `spread` without `bg`, from which a spread strays")
    for value in copy.graph.input:
        _fix(value, onnx.TensorProto.UINT8, (1, height, width, 3))
    for value in copy.graph.output:
        _fix(value, onnx.TensorProto.FLOAT, (1, 1, height, width))
    if open_outputs := unbounded_outputs(copy):
        raise EdgeError(
            f"the values of {' and '.join(open_outputs)} are not limited to 0..1",
            "append a Sigmoid to the network before its export, e.g. mask = torch.sigmoid(mask)",
        )
    if copy == model:
        return model
    del copy.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(copy, data_prop=True)


def check_shapes(model: onnx.ModelProto) -> None:
    """Raise EdgeError where the nodes of a network contradict each other or its outputs."""
    try:
        onnx.shape_inference.infer_shapes(model, strict_mode=True)
    except onnx.shape_inference.InferenceError as error:
        reason = str(error).strip().splitlines()[0].rpartition("] ")[2]
        raise EdgeError(f"its shapes do not fit together: {reason}") from error


def unbounded_outputs(model: onnx.ModelProto) -> list[str]:
    """Name the outputs that certainly leave 0..1, such as logits that no Sigmoid follows.

    An output counts only if the nodes that make it prove it: a layer with a bias or a negative
    weight, through operators that only move, scale or add values. Whatever else ends a network
    (Sigmoid, Clip, Softmax, Min, Where, ...) is taken as bounded.
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    weights = {weight.name: weight for weight in model.graph.initializer}
    return [value.name for value in model.graph.output if _unbounded(value.name, makers, weights)]


def _unbounded(
    name: str, makers: dict[str, onnx.NodeProto], weights: dict[str, onnx.TensorProto]
) -> bool:
    node = makers.get(name)
    if node is None:
        return False
    data = [source for source in input_names(node) if source not in weights]
    if node.op_type in PASSES:
        return _unbounded(node.input[0], makers, weights)
    if node.op_type in LAYERS:
        constants = [weights[source] for source in input_names(node) if source in weights]
        if len(data) != 1 or not constants:
            return False
        # A fixed blur or upsampling has one constant, without a negative value.
        averages = len(constants) == 1 and bool((numpy_helper.to_array(constants[0]) >= 0).all())
        return not averages or _unbounded(data[0], makers, weights)
    if node.op_type in ("LeakyRelu", "PRelu", "Relu"):
        # Of longer chains two Relu may be a Clip.
        layer = makers.get(node.input[0])
        return (
            layer is not None
            and layer.op_type in LAYERS
            and _unbounded(layer.output[0], makers, weights)
        )
    if node.op_type in ("Add", "Sub", "Sum") or (node.op_type in ("Mul", "Div") and len(data) == 1):
        return any(_unbounded(source, makers, weights) for source in data)
    return False


def _refuse_other_domains(model: onnx.ModelProto) -> None:
    """Raise EdgeError for operators outside the ONNX standard, which no target knows."""
    others = sorted(
        {f"{n.domain}.{n.op_type}" for n in model.graph.node if n.domain not in ("", "ai.onnx")}
    )
    if others:
        raise EdgeError(
            f"{', '.join(others)} is no operator of the ONNX standard",
            "export the network with standard operators only",
        )


def _fix(value: onnx.ValueInfoProto, kind: int, shape: Sequence[int]) -> None:
    """Set the open sides of a tensor to `shape`; EdgeError where its type or sides differ."""
    tensor = value.type.tensor_type
    sides = [side.dim_value for side in tensor.shape.dim] or [0] * len(shape)
    name = onnx.TensorProto.DataType.Name
    fits = len(sides) == len(shape) and all(a in (0, b) for a, b in zip(sides, shape, strict=True))
    if tensor.elem_type != kind or not fits:
        actual = ", ".join(str(side or "?") for side in sides)
        raise EdgeError(
            f"{value.name} is {name(tensor.elem_type).lower()} [{actual}],"
            f" expected {name(kind).lower()} {list(shape)}"
        )
    del tensor.shape.dim[:]
    for side in shape:
        tensor.shape.dim.add().dim_value = side
