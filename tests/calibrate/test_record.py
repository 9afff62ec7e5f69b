from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from edge.calibrate.observe import BINS, histograms, passes
from edge.calibrate.record import key_of, load_ranges, record_ranges
from edge.errors import EdgeError
from edge.graph.fold import split
from edge.samples.sample import Sample
from tests.edge.graph.spread_network import spread_network

KEY = key_of("model", "samples", "rendered", 8, "minmax", (64, 64))


def test_observed_extremes_are_those_of_a_plain_run(
    network: onnx.ModelProto, samples: list[Sample]
) -> None:
    """The unsplit network with one tensor made an output, run by ONNX Runtime."""
    recorded = histograms(split(network), samples, threads=1, needs_bins=True)
    name = next(n.output[0] for n in split(network).frame.graph.node if n.op_type == "Abs")
    watched = onnx.ModelProto.FromString(network.SerializeToString())
    watched.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    session = onnxruntime.InferenceSession(watched.SerializeToString())
    read = [value.name for value in session.get_inputs()]
    values = [session.run([name], {n: s.inputs()[n] for n in read})[0] for s in samples]
    assert recorded[name].low == pytest.approx(min(v.min() for v in values), abs=1e-5)
    assert recorded[name].high == pytest.approx(max(v.max() for v in values), abs=1e-4)
    assert recorded[name].counts.sum() == sum(v.size for v in values)
    bins = sum(np.histogram(v, BINS, (recorded[name].low, recorded[name].high))[0] for v in values)
    moved = np.abs(recorded[name].counts - bins).sum() / 2  # over an edge, by float32 rounding
    assert moved < 0.001 * bins.sum()


def test_ranges_know_the_spreads_of_the_samples() -> None:
    """A scene whose spread alone changes is another one; a missing spread is 0."""
    rng = np.random.default_rng(0)
    bg, frame = rng.integers(0, 256, (2, 64, 64, 3), np.uint8)
    mask = np.zeros((64, 64), np.uint8)
    spreads = [None, *(np.full_like(bg, level) for level in (20, 60))]
    samples = [Sample("a/0", bg, frame, mask, spread=spread) for spread in spreads]
    parts = split(spread_network())
    (name,) = (each for each in parts.scene if "spread" in each)
    recorded = histograms(parts, samples, threads=1, needs_bins=True)
    # Twice the blur of the image, of which the border sees less.
    assert recorded[name].low == 0
    assert recorded[name].high == pytest.approx(2 * 60 / 255, rel=1e-5)
    session = onnxruntime.InferenceSession(spread_network().SerializeToString())
    true = [session.run(["mask"], sample.inputs())[0] for sample in samples]
    assert recorded["mask"].low == pytest.approx(min(v.min() for v in true), abs=1e-6)
    assert recorded["mask"].high == pytest.approx(max(v.max() for v in true), abs=1e-6)


def test_extremes_alone_take_one_pass(network: onnx.ModelProto, samples: list[Sample]) -> None:
    ticks = iter(range(100))
    short = histograms(split(network), samples, threads=1, needs_bins=False, watch=ticks)
    assert next(ticks) == passes(needs_bins=False) * len(samples)
    full = histograms(split(network), samples, threads=1, needs_bins=True, watch=ticks)
    assert next(ticks) == len(samples) + 1 + passes(needs_bins=True) * len(samples)
    assert {n: (h.low, h.high) for n, h in short.items()} == {
        n: (h.low, h.high) for n, h in full.items()
    }


def test_a_record_is_written_and_read(
    network: onnx.ModelProto, samples: list[Sample], tmp_path: Path
) -> None:
    ranges = record_ranges(split(network), samples, KEY, threads=1)
    path = tmp_path / "ranges.json"
    path.write_text(ranges.to_json())
    assert load_ranges(path, KEY) == ranges
    assert all(np.isfinite(value) for pair in ranges.ranges.values() for value in pair)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model_sha256", "other"),
        ("samples_sha256", "other"),
        ("method", "mse"),
        ("count", 9),
        ("imgsz", (96, 96)),
        ("versions", {"edge": "0"}),
    ],
)
def test_a_stale_record_is_refused(field: str, value: object, tmp_path: Path) -> None:
    path = tmp_path / "ranges.json"
    path.write_text(json.dumps({"schema": "edge.ranges/1", "key": KEY.__dict__, "ranges": {}}))
    assert load_ranges(path, KEY).ranges == {}
    with pytest.raises(EdgeError, match=f"is stale: its {field} is"):
        load_ranges(path, replace(KEY, **{field: value}))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "x"}'])
def test_what_is_no_record_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "ranges.json"
    path.write_text(text)
    with pytest.raises(EdgeError, match="is not a file of activation ranges"):
        load_ranges(path, KEY)


def test_ranges_are_never_guessed(network: onnx.ModelProto) -> None:
    with pytest.raises(EdgeError, match="no samples to calibrate with"):
        record_ranges(split(network), [], KEY, threads=1)
