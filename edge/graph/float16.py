"""Graphs in float16 with unchanged inputs and outputs."""

from __future__ import annotations

from graphlib import TopologicalSorter

import onnx

from edge.graph.dependencies import input_names

SCALES_NEED = 19
"""Opset from which Q/DQ scales may be float16."""


def to_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Convert a float32 graph to float16 with ONNX Runtime's converter; inputs and outputs stay."""
    from edge.runtime.ort import float16_converter

    copy = onnx.ModelProto.FromString(model.SerializeToString())
    half = float16_converter()(onnx.shape_inference.infer_shapes(copy), keep_io_types=True)
    # The converter puts casts of the inputs behind the nodes that read them.
    nodes = list(half.graph.node)
    makers = {name: index for index, node in enumerate(nodes) for name in node.output}
    needs = {
        index: {makers[name] for name in input_names(node) if name in makers}
        for index, node in enumerate(nodes)
    }
    del half.graph.node[:]
    half.graph.node.extend(nodes[index] for index in TopologicalSorter(needs).static_order())
    return half
