"""Which nodes become int8 in each scheme, and how far the graph is from float."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest

from edge.calibrate.observe import histograms
from edge.calibrate.qdq import SCHEMES, parameters, quantize, quantized_weight
from edge.errors import EdgeError
from edge.graph.float16 import to_float16
from edge.graph.fold import Split, split
from edge.graph.trt_ready import trt_ready
from edge.graph.upsample import to_depth_to_space
from edge.samples.sample import Sample

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
    scene = background.run(list(parts.scene), {"bg": sample.bg[None]})
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
            scene = background.run(list(parts.scene), {"bg": sample.bg[None]})
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


def test_weights_come_back_within_half_a_step(rng: np.random.Generator) -> None:
    weight = rng.normal(size=(5, 3, 3, 3)).astype(np.float32)
    weight[2] = 0
    integers, scale = quantized_weight(weight, 0)
    back = integers * scale.reshape(-1, 1, 1, 1)
    assert (np.abs(back - weight) <= scale.reshape(-1, 1, 1, 1) * 0.501).all()
    assert np.abs(integers).max() == 127


@pytest.mark.parametrize("span", [(0.0, 6.0), (-1.0, 3.0), (-4.0, 0.0), (0.0, 0.0)])
@pytest.mark.parametrize("signed", [True, False])
def test_zero_is_exact_in_every_range(span: tuple[float, float], signed: bool) -> None:
    scale, zero = parameters(span, signed)
    low, high = (-127, 127) if signed else (0, 255)
    assert low <= zero <= high
    assert scale > 0
    assert scale * (high - zero) >= span[1] - scale
    assert scale * (low - zero) <= span[0] + scale
