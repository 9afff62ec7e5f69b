"""Which nodes become int8 in each scheme, and how far the graph is from float."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

import edge
from edge.builder.plan import Plan
from edge.builder.write import write_build
from edge.calibrate.observe import histograms
from edge.calibrate.pipeline import BuildRequest, build, plan
from edge.calibrate.qdq import SCHEMES, parameters, quantize, quantized_weight
from edge.errors import EdgeError
from edge.graph.contract import conform
from edge.graph.float16 import to_float16
from edge.graph.fold import Split, split
from edge.graph.trt_ready import trt_ready
from edge.graph.upsample import to_depth_to_space
from edge.samples.sample import Sample, resize_sample
from tests.edge.graph.exporters import small_network
from tests.edge.graph.node_cases import Arrays, onnx_runtime, reference
from tests.images import taken

Ranges = dict[str, tuple[float, float]]


@pytest.fixture(scope="module")
def parts(network: onnx.ModelProto) -> Split:
    return split(network)


@pytest.fixture(scope="module")
def ranges(parts: Split, samples: list[Sample]) -> Ranges:
    return {
        n: (h.low, h.high)
        for n, h in histograms(parts, samples, threads=1, needs_bins=False).items()
    }


def run(
    model: onnx.ModelProto, parts: Split, sample: Sample, optimized: bool = False
) -> list[np.ndarray]:
    """Outputs for one sample; optimisation is off because it corrupts some Q/DQ graphs."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    assert parts.background is not None
    background = onnxruntime.InferenceSession(parts.background.SerializeToString())
    scene = background.run(list(parts.scene), taken(background, sample.bg, sample.bg))
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    feeds = {"fg_bg": sample.fg_bg[None], **dict(zip(parts.scene, scene, strict=True))}
    return [np.asarray(output) for output in session.run(["mask", "depth"], feeds)]


def error(model: onnx.ModelProto, parts: Split, samples: list[Sample]) -> float:
    return max(
        float(np.abs(a - b).mean())
        for sample in samples[:4]
        for a, b in zip(run(model, parts, sample), run(parts.frame, parts, sample), strict=True)
    )


def sources(model: onnx.ModelProto, node: onnx.NodeProto) -> list[str]:
    makers = {name: n.op_type for n in model.graph.node for name in n.output}
    return [makers.get(name, "constant") for name in node.input]


def test_the_tensorrt_graph(parts: Split, ranges: Ranges, samples: list[Sample]) -> None:
    """s8, zero points 0, Q/DQ before convolutions only, bias in float."""
    model = quantize(to_depth_to_space(parts.frame), ranges, SCHEMES["s8"])
    convolutions = [n for n in model.graph.node if n.op_type == "Conv"]
    assert len(convolutions) == 13
    for node in convolutions:
        data, weight, *bias = sources(model, node)
        assert (data, weight) == ("DequantizeLinear", "DequantizeLinear")
        assert bias in ([], ["constant"])
    readers = Counter(
        n.op_type for n in model.graph.node for name in n.input if name.endswith(".dq")
    )
    assert set(readers) == {"Conv"}
    assert trt_ready(model) == []
    assert error(model, parts, samples) < 0.02


def test_the_cpu_graph(parts: Split, ranges: Ranges, samples: list[Sample]) -> None:
    """u8 with zero points, whole int8 operators: integer bias, results quantized."""
    model = quantize(parts.frame, ranges, SCHEMES["u8"])
    layers = [n for n in model.graph.node if n.op_type in ("Conv", "ConvTranspose")]
    assert len(layers) == 13
    for node in layers:
        assert set(sources(model, node)) == {"DequantizeLinear"}
    assert any("uint8" in reason for reason in trt_ready(model))
    assert error(model, parts, samples) < 0.02


def test_a_relu_is_quantized_after_not_before(parts: Split, ranges: Ranges) -> None:
    model = quantize(parts.frame, ranges, SCHEMES["u8"])
    for node in model.graph.node:
        if node.op_type == "Relu" and node.input[0].endswith(".dq"):
            maker = node.input[0].removesuffix(".dq")
            assert not any(maker in n.output for n in model.graph.node if n.op_type == "Conv")


@pytest.mark.parametrize("target", ["tensorrt", "openvino", "onnxruntime"])
def test_a_build_s_graphs_are_what_the_onnx_reference_says(
    target: str, samples: list[Sample], tmp_path: Path
) -> None:
    """Folded, quantized and rewritten for their target; ONNX's own implementation is the judge."""
    request = BuildRequest(network="own", target=target, precision="int8")
    place = tmp_path / "build"
    planned = plan(request, network=small_network(19), samples=samples[:4])
    write_build(planned, place, graphs_only=True)
    for sample in samples[4:6]:
        given = {"bg": sample.bg[None], "fg_bg": sample.fg_bg[None]}
        judged, ours = (
            both(onnx.load(place / "background.onnx"), onnx.load(place / "frame.onnx"), given, run)
            for run in (reference, onnx_runtime)
        )
        exact = reference(onnx.load(place / "network.onnx"), given)
        for name in ("mask", "depth"):
            # A value that falls between two steps may be rounded to either.
            assert np.abs(judged[name] - ours[name]).mean() < 1e-5
            assert np.abs(judged[name] - exact[name]).mean() < 0.01


def both(
    background: onnx.ModelProto,
    frame: onnx.ModelProto,
    given: Arrays,
    run: Callable[[onnx.ModelProto, Arrays], Arrays],
) -> Arrays:
    """The frame's results, through both graphs of a build."""
    return run(frame, given | run(background, given))


def test_the_picture_passes_exactly(parts: Split, ranges: Ranges) -> None:
    """uint8 / 255 quantized to uint8 is the picture itself, whatever the samples held."""
    frame = parts.frame
    first = next(n for n in frame.graph.node if n.op_type == "Conv").input[0]
    assert ranges[first] == (0.0, 1.0)
    assert parameters(ranges[first], signed=False) == (pytest.approx(1 / 255), 0)


def test_our_placement_errs_no_more_than_onnxruntimes_quantizer(
    parts: Split, ranges: Ranges, samples: list[Sample], tmp_path
) -> None:
    """The same scheme written by ONNX Runtime's quantizer, calibrated on the same samples."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    assert parts.background is not None
    background = onnxruntime.InferenceSession(parts.background.SerializeToString())

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter(samples)

        def get_next(self) -> dict[str, np.ndarray] | None:
            sample = next(self.left, None)
            if sample is None:
                return None
            scene = background.run(list(parts.scene), taken(background, sample.bg, sample.bg))
            return {
                "fg_bg": sample.fg_bg[None],
                **dict(zip(parts.scene, scene, strict=True)),
            }

    onnx.save(to_depth_to_space(parts.frame), tmp_path / "float.onnx")
    quantize_static(
        tmp_path / "float.onnx",
        tmp_path / "theirs.onnx",
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        weight_type=QuantType.QInt8,
        activation_type=QuantType.QInt8,
        op_types_to_quantize=["Conv"],
        extra_options={
            "ActivationSymmetric": True,
            "WeightSymmetric": True,
            "QuantizeBias": False,
            "OpTypesToExcludeOutputQuantization": ["Conv"],
        },
    )
    theirs = error(onnx.load(tmp_path / "theirs.onnx"), parts, samples)
    ours = error(quantize(to_depth_to_space(parts.frame), ranges, SCHEMES["s8"]), parts, samples)
    assert ours <= 1.2 * theirs


def test_a_layer_that_is_kept_stays_float(parts: Split, ranges: Ranges) -> None:
    name = next(n.name for n in parts.frame.graph.node if n.op_type == "Conv")
    model = quantize(parts.frame, ranges, SCHEMES["s8"], keep=[name])
    node = next(n for n in model.graph.node if n.name == name)
    assert not any(source.endswith(".dq") for source in node.input)


def test_int8_scales_may_become_float16(parts: Split, ranges: Ranges) -> None:
    model = to_float16(quantize(to_depth_to_space(parts.frame), ranges, SCHEMES["s8"]))
    assert trt_ready(model) == []


def test_a_missing_range_is_refused(parts: Split) -> None:
    with pytest.raises(EdgeError, match="no activation range of tensor"):
        quantize(parts.frame, {}, SCHEMES["u8"])


def weights_of(kind: str, rng: np.random.Generator) -> np.ndarray:
    """Five output channels that are hard to keep within a limit."""
    shape = (5, 8, 3, 3)
    made = {
        "normal": rng.normal(size=shape),
        "heavy tails": rng.standard_t(1, shape),
        "all nearly equal": rng.uniform(0.98, 1, shape),
        "negative": -rng.uniform(0.5, 1, shape),
        "one large": np.where(rng.random(shape) < 0.01, 1.0, 1e-4),
        "dead channel": rng.normal(size=shape)
        * np.array([1, 0, 1e-30, 1e-8, 1]).reshape(-1, 1, 1, 1),
        "a single weight": rng.normal(size=(5, 1, 1, 1)),
    }[kind]
    return np.asarray(made, np.float32)


KINDS = ("normal", "heavy tails", "all nearly equal", "negative", "one large", "dead channel",
         "a single weight")  # fmt: skip


@pytest.mark.parametrize("pairs", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_weights_come_back_within_a_step_and_their_sums_within_half(
    kind: str, pairs: bool, rng: np.random.Generator
) -> None:
    weight = weights_of(kind, rng)
    integers, scale = quantized_weight(weight, 0, pairs)
    steps = scale.reshape(-1, 1, 1, 1).astype(np.float64)
    error = integers * steps - weight
    assert (np.abs(error) <= steps * 1.001).all()
    assert (np.abs(error.sum((2, 3), keepdims=True)) <= steps * 0.502).all()
    if not pairs:
        alive = np.abs(weight).max((1, 2, 3)) > 1e-8
        assert (np.abs(integers).max((1, 2, 3))[alive] == 127).all()


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_no_two_products_of_a_channel_saturate_int16(
    kind: str, axis: int, rng: np.random.Generator
) -> None:
    """Whichever two a kernel adds first."""
    weight = np.moveaxis(weights_of(kind, rng), 0, axis)
    integers, _ = quantized_weight(np.ascontiguousarray(weight), axis, pairs=True)
    rows = np.moveaxis(integers, axis, 0).reshape(5, -1).astype(int)
    for row in rows:
        for sign in (1, -1):
            two = np.sort(np.maximum(sign * row, 0))[-2:]
            assert 255 * two.sum() <= 32767


def saturating(data: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """uint8 [n, k] times int8 [k] as vpmaddubsw and vpmaddwd compute it: pairs in int16."""
    products = data.astype(np.int32) * weight.astype(np.int32)
    pairs = products.reshape(len(data), -1, 2).sum(-1)
    return np.asarray(np.clip(pairs, -32768, 32767).sum(-1))


def test_sums_in_int16_are_the_sums_in_int32(rng: np.random.Generator) -> None:
    """And with weights of +-127 they are not: 255 x 127 twice is 32767."""
    data = rng.integers(0, 256, (64, 72), np.uint8)
    data[:8] = 255
    true = data.astype(np.int64)
    for kind in KINDS[:-1]:
        weight = weights_of(kind, rng)
        for pairs in (True, False):
            rows = quantized_weight(weight, 0, pairs)[0].reshape(5, -1)
            same = [np.array_equal(saturating(data, row), true @ row) for row in rows]
            assert all(same) or not pairs
            assert pairs or kind not in ("all nearly equal", "negative") or not any(same)


ONE_CONV = Path(__file__).with_name("one_conv.py")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="no x86 CPU")
@pytest.mark.parametrize("level", ["AVX2", "AVX512_CORE", "AVX512_CORE_VNNI"])
def test_openvino_computes_our_weights_right_at_every_level_of_instructions(level: str) -> None:
    """In OpenVINO's own kernels; oneDNN leaves out instructions above the level."""
    env = {**os.environ, "ONEDNN_MAX_CPU_ISA": level}

    def error(kind: str) -> float:
        words = [sys.executable, str(ONE_CONV), "openvino", kind]
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
        return float(done.stdout)

    assert error("ours") < 0.03
    if level == "AVX2":  # the fault itself
        assert error("full") > 0.2


def test_layers_that_share_weights_keep_their_own_steps() -> None:
    """One of them has a bias that needs larger steps."""
    model = small_network()
    nodes = {node.name: node for node in model.graph.node}
    nodes["depth_head"].input[1] = "w4"
    bias = next(w for w in model.graph.initializer if w.name == "b5")
    bias.CopyFrom(numpy_helper.from_array(np.full(1, 1e7, np.float32), "b5"))
    frame = split(model).frame
    names = {name for node in frame.graph.node for name in (*node.input, *node.output)}
    quantized = quantize(frame, dict.fromkeys(names, (0.0, 1.0)), SCHEMES["u8"])
    makers = {name: node for node in quantized.graph.node for name in node.output}
    values = {w.name: numpy_helper.to_array(w) for w in quantized.graph.initializer}
    for node in quantized.graph.node:
        if node.op_type != "Conv":
            continue
        data, weight, bias = (values[makers[name].input[1]] for name in node.input)
        assert np.allclose(bias, data * weight), node.name  # what ONNX Runtime takes for granted


def test_what_the_background_shares_with_the_frame_is_rounded_with_it(
    plan: Callable[..., Plan],
) -> None:
    """Where nothing moves, frame and background differ by the rounding of one tensor alone."""
    int8, exact = plan("openvino", "int8"), plan("openvino", "fp32")
    assert int8.split.background is not None
    assert exact.split.background is not None
    before = {w.name: numpy_helper.to_array(w) for w in exact.split.background.graph.initializer}
    stored = {w.name: numpy_helper.to_array(w) for w in int8.frame.graph.initializer}
    shared = 0
    for weight in int8.split.background.graph.initializer:
        value = numpy_helper.to_array(weight)
        if f"{weight.name}.q" in stored:
            shared += 1
            scale = stored[f"{weight.name}.scale"].reshape(-1, 1, 1, 1)
            assert np.allclose(value, stored[f"{weight.name}.q"] * scale)
            assert not np.array_equal(value, before[weight.name])
        else:
            assert np.array_equal(value, before[weight.name])
    assert shared == 4


def with_head(weight: float, bias: float) -> onnx.ModelProto:
    """The small network whose depth head has a bias that is taken off again behind it."""
    model = small_network()
    stored = {w.name: w for w in model.graph.initializer}
    values = numpy_helper.to_array(stored["w5"]) * np.float32(weight)
    stored["w5"].CopyFrom(numpy_helper.from_array(values, "w5"))
    stored["b5"].CopyFrom(numpy_helper.from_array(np.full(1, bias, np.float32), "b5"))
    nodes = list(model.graph.node)
    place = next(i for i, node in enumerate(nodes) if node.name == "depth_out")
    nodes[place].input[0] = "scaled"
    nodes[place:place] = [
        onnx.helper.make_node("Sub", ["p", "off"], ["rest"], "minus"),
        onnx.helper.make_node("Mul", ["rest", "gain"], ["scaled"], "times"),
    ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(
        [numpy_helper.from_array(np.float32(bias), "off"),
         numpy_helper.from_array(np.float32(1 / weight), "gain")]
    )  # fmt: skip
    return model


@pytest.mark.parametrize("target", ["onnxruntime", "openvino"])
def test_a_layer_whose_bias_no_integer_holds_stays_float_and_is_named(
    target: str, samples: list[Sample], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, outputs = with_head(1e-2, 1e4), []
    for precision in ("fp32", "int8"):
        request = BuildRequest(network="head", target=target, precision=precision)
        manifest = build(request, tmp_path / precision, network=model, samples=samples[:4])
        with edge.open(tmp_path / precision, threads=1) as h:
            edge.set_background(h, samples[0].bg)
            depth = edge.infer(h, samples[1].fg_bg)[1]
            assert depth is not None
            outputs.append(depth.copy())
    assert manifest.calibration["kept_in_float"] == ["depth_head"]
    assert "in float: depth_head, whose bias is too large" in capsys.readouterr().err
    assert np.abs(np.subtract(*outputs)).max() < 0.05


def test_a_layer_that_is_always_zero_compiles_in_openvino(
    samples: list[Sample], tmp_path: Path
) -> None:
    """Its result has no range, and the bias in steps of that range is no number of 32 bits."""
    model = small_network()
    bias = next(w for w in model.graph.initializer if w.name == "b2")
    bias.CopyFrom(numpy_helper.from_array(np.full(16, -1e4, np.float32), "b2"))
    build(BuildRequest(network="zero", target="openvino"), tmp_path / "b", network=model,
          samples=samples[:2])  # fmt: skip
    with edge.open(tmp_path / "b", threads=1) as h:
        edge.set_background(h, samples[0].bg)
        mask, _ = edge.infer(h, samples[1].fg_bg)
        assert mask is not None
        assert np.ptp(mask) < 1e-3


@pytest.mark.parametrize("span", [(0.0, 6.0), (-1.0, 3.0), (-4.0, 0.0), (0.0, 0.0)])
@pytest.mark.parametrize("signed", [True, False])
def test_zero_is_exact_in_every_range(span: tuple[float, float], signed: bool) -> None:
    scale, zero = parameters(span, signed)
    low, high = (-127, 127) if signed else (0, 255)
    assert low <= zero <= high
    assert scale > 0
    assert scale * (high - zero) >= span[1] - scale
    assert scale * (low - zero) <= span[0] + scale


DEAD = [(weight, bias) for weight in (1e-3, 1e-8, 0.0) for bias in (0.0, 1.0, -1.0, 10.0)]
"""Factor on all weights of one channel, and its bias: BatchNorm with gamma 0 folds to (0, beta)."""


def with_channel(layer: str, weight: float, bias: float) -> onnx.ModelProto:
    """The small network with output channel 3 of a layer changed."""
    model = small_network()
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    weights, biases = (numpy_helper.to_array(stored[f"{k}{layer}"]).copy() for k in "wb")
    channel = weights[:, 3] if layer == "3" else weights[3]  # of ConvTranspose the second axis
    channel *= np.float32(weight)
    biases[3] = bias
    stored[f"w{layer}"].CopyFrom(numpy_helper.from_array(weights, f"w{layer}"))
    stored[f"b{layer}"].CopyFrom(numpy_helper.from_array(biases, f"b{layer}"))
    return model


@pytest.mark.parametrize("target", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("layer", ["1", "2", "3"], ids=["Conv", "inner Conv", "ConvTranspose"])
def test_a_dead_channel_keeps_its_bias(
    layer: str, target: str, samples: list[Sample], tmp_path: Path
) -> None:
    """On the runtimes themselves: where the int32 bias is clipped, the mask is off by 0.25."""
    for number, (weight, bias) in enumerate(DEAD):
        outputs = []
        for precision in ("fp32", "int8"):
            place = tmp_path / f"{number}-{precision}"
            request = BuildRequest(network="dead", target=target, precision=precision)
            model = with_channel(layer, weight, bias)
            build(request, place, network=model, samples=samples[:4])
            with edge.open(place, threads=1) as h:
                edge.set_background(h, samples[0].bg)
                mask, depth = edge.infer(h, samples[1].fg_bg)
                assert mask is not None and depth is not None
                outputs.append((mask.copy(), depth.copy()))
        for true, plane in zip(*outputs, strict=True):
            # A bias of 10 stretches the range of its tensor, and with it the steps of int8.
            assert np.abs(true - plane).max() < (0.02 if abs(bias) <= 1 else 0.05), (weight, bias)


@pytest.mark.parametrize("bias", [0.5, 1e3, 1e6, -1e9])
def test_a_huge_bias_is_stored_within_a_step(bias: float) -> None:
    """Of a channel without weights; the step is at most 2^-29 of the bias."""
    model = with_channel("2", 0.0, bias)
    biases = next(numpy_helper.to_array(w) for w in model.graph.initializer if w.name == "b2")
    frame = split(model).frame
    names = [name for node in frame.graph.node for name in node.output]
    names += [value.name for value in frame.graph.input]
    quantized = quantize(frame, dict.fromkeys(names, (0.0, 1.0)), SCHEMES["u8"])
    node = next(n for n in quantized.graph.node if n.name == "conv2")
    dequantize = next(n for n in quantized.graph.node if node.input[2] in n.output)
    values = {t.name: numpy_helper.to_array(t) for t in quantized.graph.initializer}
    integers, step = values[dequantize.input[0]], values[dequantize.input[1]]
    restored = integers.astype(np.float64) * step
    assert np.allclose(restored, biases, rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("target", ["onnxruntime", "openvino"])
def test_weights_that_are_computed_stay_in_float(
    target: str, tmp_path: Path, samples: list[Sample]
) -> None:
    """conv2 is scaled by its own input: its weights are no constant."""
    model = small_network()
    at = next(i for i, node in enumerate(model.graph.node) if node.name == "conv2")
    mean = onnx.helper.make_node("GlobalAveragePool", ["r1"], ["s"], "squeeze")
    weights = onnx.helper.make_node("Mul", ["w2", "s"], ["w2.s"], "scaled")
    model.graph.node[at].input[1] = "w2.s"
    model.graph.node.insert(at, weights)
    model.graph.node.insert(at, mean)
    check_built(model, target, {"conv2"}, tmp_path, samples)


@pytest.mark.parametrize("target", ["onnxruntime", "openvino"])
def test_a_branch_reads_what_comes_before_it(
    target: str, tmp_path: Path, samples: list[Sample]
) -> None:
    """The mask's last operator in an If, as exporters write a condition of the module."""
    model = small_network()
    last = next(node for node in model.graph.node if node.output[0] == "mask")
    info = onnx.helper.make_tensor_value_info("o", onnx.TensorProto.FLOAT, [1, 1, 64, 64])
    branch = onnx.helper.make_graph(
        [onnx.helper.make_node("Sigmoid", ["m"], ["o"])], "branch", [], [info]
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    last.CopyFrom(
        onnx.helper.make_node("If", ["yes"], ["mask"], "if", then_branch=branch, else_branch=branch)
    )
    check_built(model, target, set(), tmp_path, samples)


def check_built(
    model: onnx.ModelProto, target: str, floats: set[str], tmp_path: Path, samples: list[Sample]
) -> None:
    """Build int8 of a network and compare it with the network itself in ONNX Runtime."""
    request = BuildRequest(network="net", target=target, precision="int8")
    build(request, tmp_path / "b", network=conform(model), samples=samples)
    frame = onnx.load(tmp_path / "b" / "frame.onnx")
    makers = {name: node.op_type for node in frame.graph.node for name in node.output}
    for node in frame.graph.node:
        if node.op_type == "Conv" and node.name.startswith("conv"):
            in_int8 = makers.get(node.input[1]) == "DequantizeLinear"
            assert in_int8 == (node.name.split("/")[0] not in floats), node.name
    session = onnxruntime.InferenceSession(model.SerializeToString())
    with edge.open(tmp_path / "b", threads=1) as h:
        for sample in samples[:3]:
            small = resize_sample(sample, h.height, h.width)
            edge.set_background(h, small.bg)
            mask, _ = edge.infer(h, small.fg_bg)
            (truth,) = session.run(["mask"], taken(session, small.bg, small.fg_bg))
            assert np.abs(mask - truth[0, 0]).max() < 0.05
