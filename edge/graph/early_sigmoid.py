"""Compute a sigmoid in the layer before it, ahead of nodes that only rearrange its values.

OpenVINO makes it part of the convolution then; behind a pixel shuffle it is a pass of its own.
"""

from __future__ import annotations

import onnx

from edge.graph.dependencies import input_names

REARRANGE = {"DepthToSpace", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}


def early_sigmoid(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with every sigmoid before the rearrangements that lead to it alone.

    The results are the same bits, and every tensor but those between keeps its values.
    """
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph = model.graph
    nodes = list(graph.node)
    makers = {name: node for node in nodes for name in node.output}
    reads = [name for node in nodes for name in input_names(node)]
    given = {value.name for value in graph.output}
    for sigmoid in [node for node in nodes if node.op_type == "Sigmoid"]:
        between: list[onnx.NodeProto] = []
        tensor = sigmoid.input[0]
        while (
            tensor in makers
            and makers[tensor].op_type in REARRANGE
            and reads.count(tensor) == 1
            and tensor not in given
        ):
            between.append(makers[tensor])
            tensor = between[-1].input[0]
        if not between or tensor not in makers:
            continue
        # The sigmoid's result keeps its name, and so do the tensors between, now after it.
        last, first = between[0], between[-1]
        result, early = sigmoid.output[0], f"{sigmoid.output[0]}.early"
        sigmoid.input[0], sigmoid.output[0] = tensor, early
        last.output[0], first.input[0] = result, early
        makers |= {result: last, early: sigmoid}
        nodes.remove(sigmoid)
        nodes.insert(nodes.index(first), sigmoid)
    # Shapes of tensors between may differ now.
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model
