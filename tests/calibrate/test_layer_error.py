"""The layer in which int8 departs from FP32, on a graph in which it is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import pytest

from edge.builder.plan import Plan
from edge.calibrate.apply import float_frame, quantize_plan
from edge.calibrate.evaluator import Evaluator
from edge.calibrate.layer_error import SHOWN, Differences, LayerError, compare_tensors, worst
from edge.calibrate.qdq import SCHEMES
from edge.calibrate.record import key_of, record_ranges
from edge.samples.sample import Sample

KEY = key_of("", "", "", 8, "minmax", (64, 64))


@pytest.fixture(scope="module", params=["tensorrt", "openvino", "onnxruntime"])
def case(request, plan: Callable[..., Plan], samples: list[Sample]):  # type: ignore[no-untyped-def]
    made = plan(request.param, "fp32")
    made = replace(made, frame=float_frame(made))
    evaluator = Evaluator(made, [("a", sample) for sample in samples[:3]])
    return made, record_ranges(made.split, samples, KEY, 1), evaluator


def layers_of(reference: Plan, build: Plan, evaluator: Evaluator) -> list[LayerError]:
    sums = Differences(reference.frame)
    for exact, quantized in compare_tensors(reference, build, evaluator):
        assert {"mask", "depth"} <= set(exact)
        sums.add(exact, quantized)
    return sums.layers()


def readers(frame: onnx.ModelProto, tensor: str) -> set[str]:
    """The compared nodes that a tensor reaches without passing through another."""
    names: set[str] = set()
    for node in frame.graph.node:
        if tensor in node.input:
            known = node.op_type in SHOWN
            names |= {node.name} if known else readers(frame, node.output[0])
    return names


def test_a_graph_equals_itself(case) -> None:  # type: ignore[no-untyped-def]
    reference, _, evaluator = case
    for layer in layers_of(reference, reference, evaluator):
        assert math.isinf(layer.snr_db)
        assert layer.cosine == pytest.approx(1)


def test_the_harmed_layer_is_named(case) -> None:  # type: ignore[no-untyped-def]
    made, ranges, evaluator = case
    scheme, reference = SCHEMES[made.target.scheme], made.frame
    convolutions = [node for node in reference.graph.node if node.op_type == "Conv"]
    harmed_node = convolutions[2]
    low, high = ranges.ranges[harmed_node.input[0]]
    harmed = {**ranges.ranges, harmed_node.input[0]: (low / 30, high / 30)}
    good = layers_of(made, quantize_plan(made, ranges), evaluator)
    bad = layers_of(made, quantize_plan(made, replace(ranges, ranges=harmed)), evaluator)
    # s8 rounds where a tensor is read, u8 where it is made: there all that read it show the error.
    reading = readers(reference, harmed_node.input[0])
    assert harmed_node.name in reading
    assert worst(bad).name in ({harmed_node.name} if scheme is SCHEMES["s8"] else reading)
    assert {layer.name: layer.snr_db for layer in bad}[harmed_node.name] < 6
    assert min(layer.snr_db for layer in good) > 15


def test_figures_are_those_of_the_definition() -> None:
    node = onnx.helper.make_node("Conv", ["x", "w"], ["y"], name="one")
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], []))
    sums = Differences(model)
    true = np.array([3.0, 4.0], np.float32)
    sums.add({"y": true}, {"y": true + np.array([0.5, 0], np.float32)})
    (layer,) = sums.layers()
    assert layer.snr_db == pytest.approx(10 * math.log10(25 / 0.25), abs=1e-6)
    assert layer.cosine == pytest.approx((3.5 * 3 + 16) / (5 * math.hypot(3.5, 4)))
    assert layer.fall_db == pytest.approx(20)
