"""A network that gives the depth of a single image, such as Depth Anything or MiDaS.

`read_depth_network` reads any such ONNX file; `depth_graph` puts around it what it leaves to its
user: size, normalisation and range.
"""

from __future__ import annotations

import math
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, inliner, numpy_helper

from edge.errors import EdgeError, UsageError
from edge.graph.constants import with_initializers
from edge.graph.dependencies import tensor_shapes
from edge.graph.float32 import OTHERS, with_float32
from edge.graph.onnx_file import read_onnx
from edge.graph.opset import opset_of, with_opset
from edge.manifest import sha256

FORMAT = "scene_depth_format"
"""Key of the ONNX metadata of a network that states its format."""
NORMALISATIONS = {
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "0..1": ((0.0,) * 3, (255.0,) * 3),
    "-1..1": ((127.5,) * 3, (127.5,) * 3),
    "0..255": ((0.0,) * 3, (1.0,) * 3),
}
"""What a network expects in place of RGB in 0..255: mean and divisor of each channel."""
MEANINGS = ("inverse", "metres")
"""What its output is: inverse depth of any scale and shift (near is large), or distance."""
EXPECTED = (
    f"NORMALISATION,MEANING or NORMALISATION,MEANING,WIDTHxHEIGHT, of {', '.join(NORMALISATIONS)}"
    f" and {', '.join(MEANINGS)}"
)
PREFIX = "depth_network"
NEAREST = 1e-3
"""Distances below this are taken as this: their inverse would leave no range for the others."""


@dataclass(frozen=True)
class DepthFormat:
    """What an ONNX file does not say of itself.

    Attributes:
        normalisation: One of NORMALISATIONS.
        meaning: One of MEANINGS.
        size: (height, width) of the input; None where the file fixes it.
    """

    normalisation: str
    meaning: str
    size: tuple[int, int] | None = None

    def __str__(self) -> str:
        size = f",{self.size[1]}x{self.size[0]}" if self.size else ""
        return f"{self.normalisation},{self.meaning}{size}"


def parse_format(text: str) -> DepthFormat:
    """Read `imagenet,inverse` or `imagenet,inverse,518x518` (width x height)."""
    match = re.fullmatch(r"([^,]+),([^,]+)(?:,(\d+)x(\d+))?", text)
    if not match or match[1] not in NORMALISATIONS or match[2] not in MEANINGS:
        raise UsageError(f"--scene-depth-format {text}: expected {EXPECTED}")
    size = (int(match[4]), int(match[3])) if match[3] else None
    if size and not all(1 < side <= 4096 for side in size):
        raise UsageError(f"--scene-depth-format {text}: expected sides of 2 to 4096 pixels")
    return DepthFormat(match[1], match[2], size)


@dataclass(frozen=True)
class DepthNetwork:
    """A depth network in float32, of standard operators and fixed shapes.

    Attributes:
        path: Its file.
        model: From one input [1, 3, H, W] to outputs of which `output` is the depth.
        output: Name of that output.
        size: (H, W) of the input.
        given: (height, width) of the depth map.
        format: Its normalisation and meaning.
    """

    path: Path
    model: onnx.ModelProto
    output: str
    size: tuple[int, int]
    given: tuple[int, int]
    format: DepthFormat

    def metadata(self) -> dict[str, str]:
        """The ONNX metadata of a network whose scene depth comes from this one."""
        return {
            "scene_depth_file": self.path.name,
            "scene_depth_sha256": sha256(self.path),
            FORMAT: str(self.format),
        }


def read_depth_network(path: Path, text: str | None = None, usual: str = "") -> DepthNetwork:
    """Read a depth network and run it once on noise.

    Args:
        path: An ONNX file with one input, float [N, 3, H, W] RGB, and one depth map as output.
        text: Its format as `--scene-depth-format` has it; None takes that of its metadata.
        usual: The format where neither has it; without one it is refused.

    Raises:
        UsageError: The format is unknown, or does not fit the file.
        EdgeError: There is no such file, or it is no such network.
    """
    if not path.is_file():
        raise EdgeError(
            f"no file {path}; expected an ONNX network that gives the depth of an image"
        )
    model = read_onnx(path)
    stated = {entry.key: entry.value for entry in model.metadata_props}.get(FORMAT)
    text = text or stated or usual
    if not text:
        raise UsageError(
            f"{path} does not say how its input is normalised and what its depth means",
            "give it, as in --scene-depth-format imagenet,inverse, which Depth Anything and MiDaS"
            " 2.1 take",
        )
    format = parse_format(text)
    try:
        if model.functions:
            model = inliner.inline_local_functions(model)
        model = with_initializers(with_opset(with_float32(model)))
        size = _fix_input(model, format)
        model, output, given = _run_once(model)
    except EdgeError as error:
        kind = UsageError if isinstance(error, UsageError) else EdgeError
        raise kind(f"{path} is no depth network: {error.message}", error.hint) from error
    return DepthNetwork(path, model, output, size, given, format)


def _fix_input(model: onnx.ModelProto, format: DepthFormat) -> tuple[int, int]:
    """Make the input float32 [1, 3, H, W], in place; return (H, W)."""
    if len(model.graph.input) != 1:
        names = ", ".join(value.name for value in model.graph.input)
        raise EdgeError(f"it has the inputs {names}, expected one image")
    tensor = model.graph.input[0].type.tensor_type
    sides = [side.dim_value for side in tensor.shape.dim]
    floats = {TensorProto.FLOAT, *OTHERS}
    fits = len(sides) == 4 and sides[0] in (0, 1) and sides[1] in (0, 3)
    if tensor.elem_type not in floats or not fits:
        actual = ", ".join(str(side or "?") for side in sides)
        name = TensorProto.DataType.Name(tensor.elem_type).lower()
        raise EdgeError(f"its input is {name} [{actual}], expected float [1, 3, H, W]")
    height, width = sides[2:]
    asked = format.size or (height, width)
    if not all(asked):
        raise UsageError(
            "it takes images of any size",
            f"say which, as in --scene-depth-format {format},518x518",
        )
    if any(side not in (0, own) for side, own in zip((height, width), asked, strict=True)):
        raise UsageError(
            f"it takes images of {width or 'any width'}x{height or 'any height'}, not of"
            f" {asked[1]}x{asked[0]}",
            "leave the size out of --scene-depth-format",
        )
    tensor.elem_type = TensorProto.FLOAT
    for side, value in zip(tensor.shape.dim, (1, 3, *asked), strict=True):
        side.dim_value = value
    for value in model.graph.output:  # their sides follow
        value.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]
    return asked


def _run_once(model: onnx.ModelProto) -> tuple[onnx.ModelProto, str, tuple[int, int]]:
    """The model without what computes shapes, its depth output, and (height, width) of that."""
    from edge.runtime.ort import ort

    names = [value.name for value in model.graph.output]
    depths = names if len(names) == 1 else [name for name in names if "depth" in name]
    if len(depths) != 1:
        raise EdgeError(f"it has the outputs {', '.join(names)}, expected one depth map")
    source = model.graph.input[0]
    shape = [side.dim_value for side in source.type.tensor_type.shape.dim]
    noise = np.random.default_rng(0).random(shape, np.float32)
    with tempfile.TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.log_severity_level = 4
        # This level writes standard operators; with fixed sides all shapes become constants.
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(Path(folder) / "fixed.onnx")
        try:
            session = ort.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
            found = np.asarray(session.run(depths, {source.name: noise})[0])
        except Exception as error:  # ONNX Runtime's errors share no other base class
            reason = str(error).strip().splitlines()[-1]
            width, height = shape[3], shape[2]
            raise EdgeError(f"it does not run on {width}x{height} images: {reason}") from error
        fixed = onnx.load(options.optimized_model_filepath)
    sides = tuple(side for side in found.shape if side != 1)
    if len(sides) != 2 or not np.issubdtype(found.dtype, np.floating):
        raise EdgeError(
            f"its output {depths[0]} is {found.dtype} {list(found.shape)}, expected a depth map,"
            " float [1, H, W]"
        )
    used = {node.domain for node in fixed.graph.node}
    if others := sorted(used - {"", "ai.onnx"}):
        raise EdgeError(f"it has operators of {', '.join(others)}, which only one runtime knows")
    opset = opset_of(fixed)
    del fixed.opset_import[:]
    fixed.opset_import.append(helper.make_opsetid("", opset))
    known = tensor_shapes(onnx.shape_inference.infer_shapes(fixed, data_prop=True).graph)
    for node in fixed.graph.node:
        for name in filter(None, node.output):
            if name not in known or 0 in known[name]:
                raise EdgeError(
                    f"the shape of {name} depends on what is in the image", "export it otherwise"
                )
    return fixed, depths[0], (sides[0], sides[1])


def depth_graph(
    network: DepthNetwork, height: int, width: int, image: str, depth: str, opset: int = 0
) -> onnx.ModelProto:
    """The network with what it leaves to its user.

    The image is resized to the network's size (to a multiple of it, then averaged: no aliasing)
    and normalised. Distances become inverse depth. The result is resized to the image and
    stretched to 0..1, its lowest and highest value.

    Args:
        network: The depth network.
        height: Of the image.
        width: Of the image.
        image: Name of the input, uint8 [1, height, width, 3] BGR.
        depth: Name of the output, float32 [1, 1, height, width], inverse depth, near is large.
        opset: The oldest opset of the result.
    """
    model = compose.add_prefix(with_opset(network.model, opset), f"{PREFIX}.model.")
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []

    def constant(name: str, value: object, dtype: type) -> str:
        name = f"{PREFIX}.{name}"
        weights.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def add(operator: str, name: str, *inputs: str, **attributes: object) -> str:
        name = f"{PREFIX}.{name}"
        nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def resized(name: str, tensor: str, channels: int, *sides: int) -> str:
        sizes = constant(f"{name}.sizes", (1, channels, *sides), np.int64)
        return add("Resize", name, tensor, "", "", sizes, mode="linear")

    x = add("Cast", "float", image, to=TensorProto.FLOAT)
    x = add("Transpose", "channels_first", x, perm=[0, 3, 1, 2])
    times = [math.ceil(a / b) for a, b in zip((height, width), network.size, strict=True)]
    larger = [a * b for a, b in zip(network.size, times, strict=True)]
    if larger != [height, width]:
        x = resized("resized", x, 3, *larger)
    if times != [1, 1]:
        x = add("AveragePool", "averaged", x, kernel_shape=times, strides=times)
    x = add("Gather", "rgb", x, constant("order", [2, 1, 0], np.int64), axis=1)
    mean, divisor = NORMALISATIONS[network.format.normalisation]
    x = add("Sub", "centred", x, constant("mean", np.reshape(mean, (1, 3, 1, 1)), np.float32))
    x = add(
        "Div", "normalised", x, constant("divisor", np.reshape(divisor, (1, 3, 1, 1)), np.float32)
    )
    given = f"{PREFIX}.model.{network.output}"
    source = model.graph.input[0].name
    for node in model.graph.node:
        node.input[:] = [x if name == source else name for name in node.input]
    nodes.extend(model.graph.node)
    weights.extend(model.graph.initializer)
    x = add("Reshape", "map", given, constant("map.shape", (1, 1, *network.given), np.int64))
    if network.format.meaning == "metres":
        x = add(
            "Reciprocal", "inverse", add("Max", "far", x, constant("near", NEAREST, np.float32))
        )
    if network.given != (height, width):
        x = resized("full", x, 1, height, width)
    low = add("ReduceMin", "low", x, keepdims=1)
    high = add("ReduceMax", "high", x, keepdims=1)
    span = add("Max", "span", add("Sub", "range", high, low), constant("least", 1e-6, np.float32))
    nodes.append(
        helper.make_node("Div", [add("Sub", "above", x, low), span], [depth], f"{PREFIX}.stretched")
    )
    graph = helper.make_graph(
        nodes,
        PREFIX,
        [helper.make_tensor_value_info(image, TensorProto.UINT8, [1, height, width, 3])],
        [helper.make_tensor_value_info(depth, TensorProto.FLOAT, [1, 1, height, width])],
        weights,
    )
    whole = helper.make_model(graph, opset_imports=model.opset_import)
    whole.ir_version = max(model.ir_version, 8)
    onnx.checker.check_model(whole)
    return whole
