"""Every node gets a unique name; tensors and unique names stay."""

from __future__ import annotations

import onnx
import pytest
from onnx import TensorProto, helper

from edge.graph.names import with_unique_names


def chain(*names: str) -> onnx.ModelProto:
    """Identity nodes of these names; tensors t0, t1, ..."""
    nodes = [
        helper.make_node("Identity", [f"t{i}"], [f"t{i + 1}"], name) for i, name in enumerate(names)
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])
        for name in ("t0", f"t{len(names)}")
    ]
    return helper.make_model(helper.make_graph(nodes, "net", ends[:1], ends[1:]))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("", "", ""), ["t1", "t2", "t3"]),
        (("a", "a", "a"), ["a", "t2", "t3"]),
        (("a", "", "b", "b"), ["a", "t2", "b", "t4"]),
        (("t2", ""), ["t2", "t2_2"]),
        (("", "t1"), ["t1_2", "t1"]),
        (("t2", "", "t2_2"), ["t2", "t2_3", "t2_2"]),
    ],
)
def test_names(names: tuple[str, ...], expected: list[str]) -> None:
    model = chain(*names)
    named = with_unique_names(model)
    assert [node.name for node in named.graph.node] == expected
    assert [list(node.output) for node in named.graph.node] == [
        list(node.output) for node in model.graph.node
    ]


def test_unique_names_are_left_alone() -> None:
    model = chain("a", "b")
    assert with_unique_names(model) is model
