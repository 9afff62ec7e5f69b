"""ONNX's own tests of each operator that a rewrite touches, before and after the rewrite.

A test loops over the cases of its operators, because loading them takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import onnx
import pytest
from onnx import helper

from edge.builder.formats import triton
from edge.calibrate.qdq import SCHEMES, Scheme, quantize
from edge.errors import EdgeError
from edge.graph.constants import FOLDED, with_initializers
from edge.graph.early_sigmoid import REARRANGE, early_sigmoid
from edge.graph.float16 import to_float16
from edge.graph.float32 import with_float32
from edge.graph.fold import split
from edge.graph.names import with_unique_names
from edge.graph.open_batch import with_open_batch
from edge.graph.opset import NEWEST, OLDEST, opset_of, with_opset
from edge.graph.split_concat import PER_CHANNEL, split_concat
from edge.graph.trt_ready import trt_ready
from edge.graph.uint8_outputs import with_uint8_outputs
from edge.graph.upsample import is_doubling, to_depth_to_space

from .node_cases import (
    Arrays,
    Case,
    all_cases,
    cases,
    is_float,
    model_of,
    onnx_runtime,
    reference,
    with_constants,
)

LAYERS = ("Conv", "ConvTranspose")
NETWORK = (
    *LAYERS, "Abs", "Add", "AveragePool", "BatchNormalization", "Clip", "Concat", "DepthToSpace",
    "Div", "Elu", "GlobalAveragePool", "HardSigmoid", "LeakyRelu", "Max", "MaxPool", "Min", "Mul",
    "ReduceMean", "Relu", "Reshape", "Resize", "Sigmoid", "Slice", "Softmax", "Squeeze", "Sub",
    "Tanh", "Transpose", "Unsqueeze",
)  # fmt: skip
"""Operators of networks such as ours."""


def copied(node: onnx.NodeProto, **inputs_and_output: str) -> onnx.NodeProto:
    """A copy of a node, named `layer`, with another first input or first output."""
    copy = onnx.NodeProto.FromString(node.SerializeToString())
    copy.name = "layer"
    copy.input[0] = inputs_and_output.get("reads", copy.input[0])
    copy.output[0] = inputs_and_output.get("makes", copy.output[0])
    return copy


def rest(case: Case) -> Arrays:
    """The inputs of a case but the first."""
    return dict(list(case.inputs.items())[1:])


def none(failures: Iterable[str]) -> None:
    found = [failure for failure in failures if failure]
    assert not found, "\n".join(found)


def test_constants_fold_to_what_the_operator_gives() -> None:
    def folded(case: Case) -> str:
        output = next(iter(case.outputs))
        keep = helper.make_node("Identity", [output], ["kept"], "keep")
        model = with_initializers(
            model_of([case.node, keep], {}, ["kept"], case.inputs, case.model)
        )
        if [node.op_type for node in model.graph.node] != ["Identity"]:
            return f"{case.name} is not folded"
        return case.differs(reference(model, {}), {"kept": case.outputs[output]})

    none(map(folded, cases(*FOLDED)))


def test_an_opset_of_ours_gives_what_the_test_s_opset_gives() -> None:
    converted = 0

    def changed(case: Case) -> str:
        nonlocal converted
        model = with_constants(case)
        ours = with_unique_names(with_opset(model))
        assert OLDEST <= opset_of(ours) <= NEWEST
        converted += opset_of(ours) != opset_of(model)
        # ONNX Runtime lacks some operators of some types.
        return case.differs(reference(ours, case.inputs))

    none(map(changed, cases(*set(NETWORK) - {"AveragePool", "MaxPool", *LAYERS}, where=is_float)))
    assert converted > 30


def over_channels(case: Case, rng: np.random.Generator) -> tuple[onnx.ModelProto, Arrays] | None:
    """The operator over the concatenation of a frame and a background of as many, or of four times
    as many channels, which is worth it for a convolution."""
    frame = next(iter(case.inputs.values()))
    if frame.ndim < 3:
        return None
    node, constants = copied(case.node, reads="cat"), rest(case)
    times = 4 if node.op_type in LAYERS else 1
    sides = (frame.shape[0], times * frame.shape[1], *frame.shape[2:])
    bg = rng.normal(0, 1, sides).astype(np.float32)
    group = next((a for a in node.attribute if a.name == "group"), None)
    if group is not None:
        group.i *= 1 + times
    for name, value in constants.items():
        grouped = node.op_type == "Conv" and group is not None and group.i > 1 + times
        axis = 1 if node.op_type == "Conv" and not grouped else 0
        more = [rng.permutation(value.ravel()).reshape(value.shape) for _ in range(times)]
        constants[name] = np.concatenate([value, *more], axis)
    cat = helper.make_node("Concat", ["fg_bg", "bg"], ["cat"], "cat", axis=1)
    feeds = {"fg_bg": frame, "bg": bg}
    return model_of([cat, node], feeds, list(case.outputs)[:1], constants, case.model), feeds


def test_layers_over_frame_and_background_are_distributed_and_folded_exactly(
    rng: np.random.Generator,
) -> None:
    """With every padding, stride, dilation and group of ONNX's tests."""
    distributed = 0

    def parts(case: Case) -> Iterable[str]:
        nonlocal distributed
        made = over_channels(case, rng)
        if made is None:
            return
        model, feeds = made
        true = onnx_runtime(model, feeds)
        split_model, _ = split_concat(model)
        distributed += len(split_model.graph.node) > len(model.graph.node)
        yield case.differs(onnx_runtime(split_model, feeds), true)
        two = split(model)
        assert two.background is not None
        scene = onnx_runtime(two.background, feeds)
        yield case.differs(onnx_runtime(two.frame, feeds | scene), true)

    def distributes(case: Case) -> bool:
        return is_float(case) and not any(
            a.name == "training_mode" and a.i for a in case.node.attribute
        )

    chosen = cases(*PER_CHANNEL, "BatchNormalization", *LAYERS, where=distributes)
    none(failure for case in chosen for failure in parts(case))
    assert distributed > 50


def test_a_sigmoid_before_a_rearrangement_is_the_one_behind_it() -> None:
    def early(case: Case) -> str:
        first = next(iter(case.inputs))
        nodes = [
            helper.make_node("Tanh", [first], ["made"], "make"),
            copied(case.node, reads="made", makes="moved"),
            helper.make_node("Sigmoid", ["moved"], ["y"], "sigmoid"),
        ]
        given = {first: case.inputs[first]}
        model = model_of(nodes, given, ["y"], rest(case), case.model)
        moved = early_sigmoid(model)
        assert [node.op_type for node in moved.graph.node][1] == "Sigmoid"
        found, true = (reference(each, given)["y"] for each in (moved, model))
        return "" if np.array_equal(found, true) else case.name

    none(map(early, cases(*REARRANGE, where=is_float)))


def test_single_precision_gives_nearly_what_half_and_double_give() -> None:
    """Every operator of ONNX that has a test in float16 or float64."""
    others, looked_at = (np.float16, np.float64), 0

    def single(case: Case) -> Iterable[str]:
        nonlocal looked_at
        model = model_of([case.node], {}, list(case.outputs), case.inputs, case.model)
        try:
            true = reference(model, {})
        except Exception:  # it has not every type
            return
        if case.differs(true):  # random
            return
        found = reference(with_float32(model), {})
        looked_at += 1
        for name, value in true.items():
            of = np.float32 if value.dtype in others else value.dtype
            close = np.allclose(found[name], value, 2e-3, 1e-3, equal_nan=True)
            if found[name].dtype != of or not close:
                yield f"{case.name}: {name}"

    def other(case: Case) -> bool:
        return case.node.op_type != "BitCast" and any(  # whose result is the bits themselves
            value.dtype in others for value in (*case.inputs.values(), *case.outputs.values())
        )

    none(failure for case in filter(other, all_cases()) for failure in single(case))
    assert looked_at > 50


def test_half_precision_gives_nearly_what_the_operator_gives() -> None:
    def half(case: Case) -> str:
        model = with_constants(case)
        try:
            true = onnx_runtime(model, case.inputs)
        except Exception:  # of an opset that it has not yet
            return ""
        found = onnx_runtime(to_float16(model), case.inputs)
        for name, value in true.items():
            limit = 4e-3 * max(1.0, np.abs(value).max(initial=0.0))
            if np.abs(found[name] - value).max(initial=0.0) > limit:
                return f"{case.name}: {name}"
        return ""

    none(map(half, cases(*NETWORK, where=is_float)))


def test_a_doubling_transposed_convolution_is_a_shuffled_one() -> None:
    """The kernels of ONNX's tests, cut to 2x2, with a stride of 2."""

    def shuffled(case: Case) -> str:
        first, kernel = list(case.inputs)[:2]
        weight = case.inputs[kernel]
        if weight.ndim != 4 or min(weight.shape[2:]) < 2 or any(
            a.name == "group" for a in case.node.attribute
        ):  # fmt: skip
            return ""
        node = copied(case.node)
        del node.attribute[:]
        node.attribute.append(helper.make_attribute("strides", [2, 2]))
        assert is_doubling(node)
        given = {first: case.inputs[first]}
        constants = {kernel: np.ascontiguousarray(weight[:, :, :2, :2])}
        model = model_of([node], given, list(case.outputs), constants, case.model)
        rewritten = to_depth_to_space(model)
        assert [n.op_type for n in rewritten.graph.node] == ["Conv", "DepthToSpace"]
        return case.differs(reference(rewritten, given), onnx_runtime(model, given))

    chosen = cases("ConvTranspose", where=is_float)
    none(map(shuffled, chosen))
    for case in chosen:  # those with other options stay as they are
        model = with_constants(case)
        assert [n.op_type for n in to_depth_to_space(model).graph.node] == ["ConvTranspose"]


@pytest.mark.parametrize("quantizer", [True, False])
def test_bytes_are_the_rounded_outputs(quantizer: bool) -> None:
    for case in cases("Sigmoid", where=is_float):
        model = with_constants(case)
        (name, true), *_ = case.outputs.items()
        for run in (reference, onnx_runtime):
            found = run(with_uint8_outputs(model, quantizer), case.inputs)[f"{name}_u8"]
            assert found.dtype == np.uint8
            assert np.abs(found - 255 * true).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=list(SCHEMES))
def test_a_quantized_layer_is_the_same_in_the_reference_and_in_onnx_runtime(
    scheme: Scheme,
) -> None:
    quantized = 0

    def layer(case: Case) -> Iterable[str]:
        nonlocal quantized
        first = next(iter(case.inputs))
        nodes = [
            helper.make_node("Identity", [first], ["given"], "give"),
            copied(case.node, reads="given"),
        ]
        feeds = {first: case.inputs[first]}
        model = model_of(nodes, feeds, list(case.outputs), rest(case), case.model)
        exact = reference(model, feeds)
        yield case.differs(exact)
        values = {"given": case.inputs[first], **exact}
        ranges = {name: (float(v.min()), float(v.max())) for name, v in values.items()}
        int8 = quantize(model, ranges, scheme)
        quantized += any(n.op_type == "QuantizeLinear" for n in int8.graph.node)
        yield case.differs(reference(int8, feeds), onnx_runtime(int8, feeds))
        for name, value in reference(int8, feeds).items():
            if np.abs(value - exact[name]).max() > 0.01 * np.abs(exact[name]).max():
                yield f"{case.name}: {name} lost more than 8 bits"

    chosen = cases(*scheme.ops, where=is_float)
    none(failure for case in chosen for failure in layer(case))
    assert quantized == len(chosen)


def test_tensorrt_is_given_int8_with_zero_point_0_alone() -> None:
    """Of ONNX's quantizers of every type."""
    for case in cases("QuantizeLinear", "DequantizeLinear"):
        given, _, *zero = case.inputs.values()
        # A DequantizeLinear without a zero point is of the type that it is given.
        of = zero[0] if zero else given
        fits = of.dtype == np.int8 and not (zero and zero[0].any())
        assert (trt_ready(with_constants(case)) == []) == fits, case.name


def test_a_batch_is_what_its_entries_give_alone_or_is_refused(rng: np.random.Generator) -> None:
    """What shapes do not show is found by computing."""
    opened = 0

    def one(case: Case) -> bool:
        first = next(iter(case.inputs.values()))
        values: Callable[[], Iterable[np.ndarray]] = case.outputs.values
        return is_float(case) and all(
            v.ndim and v.shape[0] == 1 and v.size for v in (first, *values())
        )

    def together(case: Case) -> str:
        nonlocal opened
        model = with_constants(case)
        try:
            batched = with_open_batch(model)
            triton._check(model, batched)
        except EdgeError:
            return ""
        opened += 1
        name = next(iter(case.inputs))
        two = [case.inputs[name], rng.permutation(case.inputs[name].ravel())]
        two[1] = two[1].reshape(two[0].shape)
        alone = [onnx_runtime(model, {name: each}) for each in two]
        true = {key: np.concatenate([each[key] for each in alone]) for key in alone[0]}
        return case.differs(onnx_runtime(batched, {name: np.concatenate(two)}), true)

    networks = set(NETWORK) - {"Tanh", "Abs", "Relu", "Elu", "HardSigmoid", "LeakyRelu", "Sigmoid",
                               "Max", "Min", "Clip"}  # fmt: skip
    chosen = [c for op in sorted({*networks, "ScatterElements"}) for c in cases(op) if one(c)]
    none(map(together, chosen))
    assert opened > 40
