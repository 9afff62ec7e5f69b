"""What TensorRT's engine inspector says, in the forms that its versions write."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edge.targets.inspector import count_layers

WIDE = "Thirty-two wide channel vectorized row major Int8 format."


def cask(name: str, data: str, weights: str, **more: Any) -> dict[str, Any]:
    """The form of NVIDIA's page on the engine inspector."""
    return {
        "Name": name,
        "LayerType": "CaskConvolution",
        "Inputs": [{"Name": "in", "Dimensions": [1, 16, 56, 56], "Format/Datatype": data}],
        "Outputs": [{"Name": "out", "Format/Datatype": "Row major linear FP32"}],
        "ParameterType": "Convolution",
        "Weights": {"Type": weights, "Count": 131072},
        "Bias": {"Type": "Float", "Count": 256},
        "TacticName": "sm80_xmma_fprop_implicit_gemm_interleaved_i8i8_i8i32_f32",
        **more,
    }


def fused(metadata: list[str], *inputs: str, kind: str = "gemm") -> dict[str, Any]:
    """The form of layers that TensorRT 10 and later compile."""
    return {
        "Name": "__myl_0",
        "LayerType": kind,
        "Inputs": [{"Name": "in", "Format/Datatype": type_} for type_ in inputs],
        "Metadata": "\x1e".join(f"[ONNX Layer: {name}]" for name in metadata),
    }


def count(*layers: Any, names: str = "stem head") -> tuple[int, int] | None:
    return count_layers(json.dumps({"Layers": layers, "Bindings": ["in"]}), names.split())


def test_data_and_weights_must_be_int8() -> None:
    assert count(cask("stem", WIDE, "Int8"), cask("head", "Int8", "Int8")) == (2, 2)
    assert count(cask("stem", WIDE, "Int8"), cask("head", "FP16", "Half")) == (2, 1)
    assert count(cask("stem", "Float", "Int8"), cask("head", WIDE, "Float")) == (2, 0)
    int8 = ("Int8", "Int8", "Float")
    assert count(fused(["q", "stem"], *int8), fused(["head"], "Int8", "Half")) == (2, 1)
    assert count(fused(["stem"], "Int8"), fused(["head"], *int8, kind="conv")) == (2, 1)


def test_fused_layers_are_found_by_the_names_they_were_made_from() -> None:
    one = cask("w_QuantizeLinear + stem + relu", WIDE, "Int8")
    assert count(one, cask("head_myl0_12", WIDE, "Int8")) == (2, 2)
    both = cask("stem || head", WIDE, "Int8")
    assert count(both) == (2, 2)
    hidden = cask("x", WIDE, "Int8", Metadata="[ONNX Layer: stem]\x1e[ONNX Layer: relu]")
    assert count(hidden, names="stem") == (1, 1)


def test_a_copy_that_is_named_after_a_layer_is_not_that_layer() -> None:
    copy = {**cask("stem", WIDE, "Int8"), "LayerType": "Reformat"}
    assert count(copy, cask("stem", "Float", "Float"), names="stem") == (1, 0)
    assert count(copy, names="stem") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"Layers": null}',
        '{"Layers": []}',
        '{"Layers": ["stem", "head"]}',  # built with names alone
        json.dumps({"Layers": [cask("stem2", WIDE, "Int8"), cask("head", WIDE, "Int8")]}),
        json.dumps({"Layers": [fused(["{ForeignNode[stem...head]}"], "Int8", "Int8")]}),
    ],
)
def test_what_does_not_tell_every_layer_tells_nothing(text: str) -> None:
    assert count_layers(text, ["stem", "head"]) is None


def test_a_network_without_such_layers_has_none() -> None:
    assert count(cask("stem", WIDE, "Int8"), names="") == (0, 0)
