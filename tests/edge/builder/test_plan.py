"""What a build is called, and its graph before it is quantized."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from onnx import TensorProto

from edge.builder.plan import Plan, float_plan
from edge.targets import get


@pytest.fixture(scope="module")
def given(plan: Callable[..., Plan]) -> Plan:
    return plan("onnxruntime", "fp32")


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, "net-fp32-onnxruntime-64x64"),
        ({"imgsz": (224, 224)}, "net-fp32-onnxruntime"),
        ({"imgsz": (224, 225)}, "net-fp32-onnxruntime-225x224"),
        ({"imgsz": (224, 224), "uint8_outputs": True}, "net-fp32-onnxruntime-u8"),
        ({"imgsz": (224, 224), "sm": (86, 89)}, "net-fp32-onnxruntime-sm86-sm89"),
        ({"imgsz": (224, 224), "precision": "int8", "upsample": "other"},
         "net-int8-onnxruntime-other"),
        ({"imgsz": (224, 224), "upsample": "other"}, "net-fp32-onnxruntime"),
    ],
)  # fmt: skip
def test_what_is_unusual_is_part_of_the_name(
    values: dict[str, object], name: str, given: Plan
) -> None:
    assert replace(given, **values).name == name  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("precision", "float16_graph", "half"),
    [("fp16", True, True), ("fp16", False, False), ("fp32", True, False), ("int8", True, False)],
)
def test_only_fp16_is_planned_in_float16(
    precision: str, float16_graph: bool, half: bool, given: Plan
) -> None:
    target = get("onnxruntime")
    was = target.float16_graph
    object.__setattr__(target, "float16_graph", float16_graph)
    try:
        made = float_plan(given.source, "net", target, precision, "edge build")
    finally:
        object.__setattr__(target, "float16_graph", was)
    kinds = {weight.data_type for weight in made.frame.graph.initializer}
    assert (TensorProto.FLOAT16 in kinds) == half
    assert (made.bundled, made.sm, made.uint8_outputs) == (False, (), False)
    assert made.model["sha256"] and made.model["colour_order"] == "BGR"
