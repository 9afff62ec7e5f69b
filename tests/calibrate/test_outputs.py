"""Networks whose outputs leave 0..1 though the graph does not prove it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edge.builder.plan import Plan
from edge.calibrate.apply import quantize_plan
from edge.calibrate.outputs import check_change, check_ranges
from edge.calibrate.pipeline import BuildRequest, plan
from edge.calibrate.record import key_of, record_ranges
from edge.errors import AccuracyGateMissed, EdgeError
from edge.samples.sample import Sample
from tests.edge.graph.exporters import small_network
from tests.edge.graph.spread_network import spread_network


def ending(op: str, *constants: float, bias: float = 1.5) -> onnx.ModelProto:
    """The small network with the mask's Sigmoid replaced; with this bias it sees values above 1."""
    model = small_network()
    bias_of_mask = next(weight for weight in model.graph.initializer if weight.name == "b4")
    bias_of_mask.CopyFrom(numpy_helper.from_array(np.float32([bias]), "b4"))
    node = next(n for n in model.graph.node if "mask" in n.output)
    names = [f"k{number}" for number in range(len(constants))]
    model.graph.initializer.extend(
        numpy_helper.from_array(np.float32(value), name)
        for name, value in zip(names, constants, strict=True)
    )
    end = helper.make_node(op, [node.input[0], *names], ["mask"], "end")
    node.CopyFrom(end)
    return model


def scaled(by: float) -> onnx.ModelProto:
    """The mask times a constant, behind an operator that the contract takes as bounded."""
    model = ending("Clip", 0.0, 1.0)
    next(n for n in model.graph.node if "mask" in n.output).output[0] = "clipped"
    model.graph.initializer.append(numpy_helper.from_array(np.float32(by), "by"))
    model.graph.node.append(helper.make_node("Mul", ["clipped", "by"], ["mask"], "scale"))
    return model


REFUSED = {
    "a Clip to 0..255": ending("Clip", 0.0, 255.0),
    "a Clip to -1..1": ending("Clip", -1.0, 1.0, bias=-1.5),
    "Exp": ending("Exp"),
    "Tanh": ending("Tanh", bias=-1.5),
    "not a number": ending("Log", bias=-1.5),
    "0..1 times 255": scaled(255.0),
}
TAKEN = {"a Clip to 0..1": ending("Clip", 0.0, 1.0), "HardSigmoid": ending("HardSigmoid")}


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("name", [*REFUSED, *TAKEN])
def test_values_outside_0_to_1_are_refused(
    name: str, precision: str, samples: list[Sample]
) -> None:
    request = BuildRequest(network="mine", target="onnxruntime", precision=precision)
    if name in TAKEN:
        plan(request, network=TAKEN[name], samples=samples)
        return
    with pytest.raises(EdgeError, match=r"mask takes values from .*, expected 0\.\.1; end the"):
        plan(request, network=REFUSED[name], samples=samples)


@pytest.mark.parametrize(
    ("low", "high"), [(-0.01, 1.0), (0.0, 1.01), (float("nan"), 1.0), (0.0, float("nan"))]
)
def test_recorded_ranges_are_refused(low: float, high: float) -> None:
    with pytest.raises(EdgeError, match="on the calibration samples, expected"):
        check_ranges({"depth": (low, high)}, "on the calibration samples")
    check_ranges({"depth": (0.0, 1.0005), "conv": (-7.0, 9.0)}, "on the calibration samples")


def swamped() -> onnx.ModelProto:
    """The small network with one channel so large that 8 bits leave nothing of the others; the next
    layer takes it off again."""
    model = small_network()
    stored = {w.name: w for w in model.graph.initializer}
    values = {name: numpy_helper.to_array(stored[name]).copy() for name in ("b2", "w3", "b3")}
    values["b2"][3] += 1e4
    values["w3"][3] = 1.0
    values["b3"] -= 1e4
    for head in ("w4", "w5"):
        values[head] = numpy_helper.to_array(stored[head]) * 300
    for name, value in values.items():
        stored[name].CopyFrom(numpy_helper.from_array(np.asarray(value, np.float32), name))
    return model


def test_int8_that_is_another_network_is_refused(samples: list[Sample]) -> None:
    """With exit code 3, and the option that finds the layer."""
    request = BuildRequest(target="tensorrt")
    with pytest.raises(AccuracyGateMissed, match=r"int8 changes \w+ by 0\.\d+ .* --max-drop"):
        plan(request, network=swamped(), samples=samples[:4])
    plan(BuildRequest(target="tensorrt", precision="fp32"), network=swamped(), samples=samples[:4])
    plan(request, network=small_network(), samples=samples[:4])


@pytest.mark.parametrize("target", ["openvino", "tensorrt"])
def test_ranges_of_something_else_change_the_network(
    target: str, plan: Callable[..., Plan], samples: list[Sample]
) -> None:
    """As a method from outside may choose them."""
    exact = plan(target, "fp32")
    key = key_of("", "", "", 8, "minmax", (64, 64))
    ranges = record_ranges(exact.split, samples, key, 1)
    check_change(exact, quantize_plan(exact, ranges), samples[:2])
    narrow = {name: (low / 100, high / 100) for name, (low, high) in ranges.ranges.items()}
    wrong = quantize_plan(exact, replace(ranges, ranges=narrow))
    with pytest.raises(AccuracyGateMissed, match="int8 changes mask by 0"):
        check_change(exact, wrong, samples[:2])


def test_values_outside_0_to_1_that_only_a_large_spread_gives_are_refused(
    samples: list[Sample],
) -> None:
    model = spread_network()
    end = next(node for node in model.graph.node if "mask" in node.output)
    model.graph.initializer.append(numpy_helper.from_array(np.float32(2.0), "two"))
    end.output[0] = "inside"
    # mask = clip(inside + mean of the spread): the Clip reaches 2.
    model.graph.initializer.append(numpy_helper.from_array(np.float32(0.0), "zero"))
    model.graph.node.extend(
        [
            helper.make_node("ReduceMean", ["spread.n"], ["mean"], "mean", axes=[1], keepdims=1),
            helper.make_node("Add", ["inside", "mean"], ["sum"], "sum"),
            helper.make_node("Clip", ["sum", "zero", "two"], ["mask"], "clip"),
        ]
    )
    request = BuildRequest(network="mine", target="onnxruntime", precision="fp32")
    with pytest.raises(EdgeError, match="noise, black and white"):
        plan(request, network=model, samples=samples)
