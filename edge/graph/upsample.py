"""ConvTranspose 2x2, stride 2, as Conv 1x1 and DepthToSpace: the same values, int8 in TensorRT.

TensorRT-RTX and ONNX Runtime have no int8 kernel for ConvTranspose. Each of its four weights per
output is a 1x1 convolution, and DepthToSpace interleaves their results.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper


def _attributes(node: onnx.NodeProto) -> dict[str, object]:
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def is_doubling(node: onnx.NodeProto) -> bool:
    """Tell whether a node is a ConvTranspose 2x2, stride 2, without any other option."""
    if node.op_type != "ConvTranspose":
        return False
    attributes = _attributes(node)
    return (
        attributes.get("kernel_shape", [2, 2]) == [2, 2]
        and attributes.get("strides") == [2, 2]
        and attributes.get("group", 1) == 1
        and not any(attributes.get("pads", [0]))  # type: ignore[arg-type]
        and attributes.get("dilations", [1, 1]) == [1, 1]
        and not any(attributes.get("output_padding", [0]))  # type: ignore[arg-type]
        and attributes.get("auto_pad", b"NOTSET") == b"NOTSET"
        and "output_shape" not in attributes
    )


def to_depth_to_space(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with Conv + DepthToSpace for every 2x2, stride 2 ConvTranspose.

    w [Cin, Cout, 2, 2] becomes [4 Cout, Cin, 1, 1], the bias is repeated four times; DepthToSpace
    in CRD order puts the four results in place.
    """
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph = model.graph
    weights = {w.name: w for w in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if not is_doubling(node) or not all(name in weights for name in node.input[1:] if name):
            nodes.append(node)
            continue
        kernel = numpy_helper.to_array(weights[node.input[1]])
        if kernel.shape[2:] != (2, 2):
            nodes.append(node)
            continue
        flat = kernel.transpose(1, 2, 3, 0).reshape(-1, kernel.shape[0], 1, 1)
        stem = node.name or node.output[0]
        names = [f"{stem}.conv.weight"]
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(flat), names[0]))
        if len(node.input) > 2 and node.input[2]:
            bias = np.repeat(numpy_helper.to_array(weights[node.input[2]]), 4)
            names.append(f"{stem}.conv.bias")
            graph.initializer.append(numpy_helper.from_array(bias, names[1]))
        packed = f"{node.output[0]}.packed"
        nodes += [
            helper.make_node(
                "Conv", [node.input[0], *names], [packed], f"{stem}.conv", kernel_shape=[1, 1]
            ),
            helper.make_node(
                "DepthToSpace",
                [packed],
                [node.output[0]],
                f"{stem}.shuffle",
                blocksize=2,
                mode="CRD",
            ),
        ]
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [w for w in graph.initializer if w.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    del graph.value_info[:]
    onnx.checker.check_model(model)
    return model
