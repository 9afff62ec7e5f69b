"""Unique node names, by which the int8 quantizer tells nodes apart."""

from __future__ import annotations

import onnx


def with_unique_names(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with a unique name for every node; tensors keep their names.

    The first node of a name keeps it. A node without a name, and every further node of a name, is
    named after its first output.
    """
    names = [node.name for node in model.graph.node]
    if all(names) and len(set(names)) == len(names):
        return model
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    taken, kept = set(names), {""}
    for node in copy.graph.node:
        if node.name in kept:
            stem = next(filter(None, node.output), node.op_type)
            name, number = stem, 1
            while name in taken:
                number += 1
                name = f"{stem}_{number}"
            node.name = name
            taken.add(name)
        kept.add(node.name)
    return copy
