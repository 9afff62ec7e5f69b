"""Ranges against numpy and against ONNX Runtime's own calibrators."""

from __future__ import annotations

import numpy as np
import pytest

from edge.calibrate.methods import LEVELS, Histogram, get, methods
from edge.calibrate.methods.entropy import entropy
from edge.calibrate.methods.minmax import minmax
from edge.calibrate.methods.mse import mse
from edge.calibrate.methods.percentile import percentile


def histogram(values: np.ndarray, bins: int = 2048) -> Histogram:
    counts = np.histogram(values, bins, (values.min(), values.max()))[0]
    return Histogram(float(values.min()), float(values.max()), counts.astype(np.int64))


@pytest.fixture
def heavy(rng: np.random.Generator) -> np.ndarray:
    """Mostly small values and a few far away, as after a ReLU with an outlier."""
    return np.concatenate([np.abs(rng.normal(size=200_000)), rng.uniform(20, 40, 12)])


def error(values: np.ndarray, span: tuple[float, float]) -> float:
    scale = (span[1] - span[0]) / LEVELS
    rounded = np.clip(np.round((values - span[0]) / scale), 0, LEVELS) * scale + span[0]
    return float(((values - rounded) ** 2).mean())


def test_minmax_holds_everything_and_zero() -> None:
    assert minmax(histogram(np.array([2.0, 5.0]))) == (0.0, 5.0)
    assert minmax(histogram(np.array([-3.0, -1.0]))) == (-3.0, 0.0)


def test_percentile_is_numpys(rng: np.random.Generator) -> None:
    values = rng.normal(size=500_000)
    low, high = percentile(histogram(values), 0.999)
    width = (values.max() - values.min()) / 2048
    assert low == pytest.approx(np.quantile(values, 0.0005), abs=1.5 * width)
    assert high == pytest.approx(np.quantile(values, 0.9995), abs=1.5 * width)


def test_percentile_agrees_with_onnxruntime(rng: np.random.Generator) -> None:
    from onnxruntime.quantization.calibrate import HistogramCollector

    values = rng.normal(size=100_000).astype(np.float32)
    collector = HistogramCollector("percentile", False, 2048, 128, 99.9, "same")
    collector.collect({"x": [values]})
    low, high = (float(end) for end in collector.compute_percentile()["x"][:2])
    # Its bins are symmetric about 0, ours span the values: they agree to a bin or two.
    assert percentile(histogram(values), 0.999) == pytest.approx((low, high), abs=0.02)


def test_mse_beats_every_other_share_of_the_range(heavy: np.ndarray) -> None:
    found = histogram(heavy)
    low, high = mse(found)
    best = error(found.centres.repeat(found.counts), (low, high))
    for share in (0.1, 0.3, 0.6, 1.0):
        span = (0.0, found.high * share)
        assert best <= error(found.centres.repeat(found.counts), span) + 1e-9
    assert high < found.high


def test_entropy_cuts_off_outliers_and_keeps_a_plain_range(
    heavy: np.ndarray, rng: np.random.Generator
) -> None:
    assert entropy(histogram(heavy))[1] < 0.5 * heavy.max()
    even = rng.uniform(0, 1, 200_000)
    assert entropy(histogram(even))[1] > 0.9


def test_entropy_agrees_with_onnxruntime(rng: np.random.Generator) -> None:
    from onnxruntime.quantization.calibrate import HistogramCollector

    values = rng.laplace(size=300_000).astype(np.float32)
    collector = HistogramCollector("entropy", True, 2048, 128, 99.9, "same")
    collector.collect({"x": [values]})
    theirs = float(collector.compute_entropy()["x"][1])
    assert entropy(histogram(values))[1] == pytest.approx(theirs, rel=0.25)


@pytest.mark.parametrize("method", methods())
@pytest.mark.parametrize("value", [0.0, 3.0, -2.0])
def test_a_constant_tensor_has_a_range(method: str, value: float) -> None:
    counts = np.zeros(2048, np.int64)
    counts[0] = 100
    low, high = get(method).choose(Histogram(value, value, counts))
    assert low <= min(value, 0.0) + 1e-6
    assert high >= max(value, 0.0) - 1e-6


@pytest.mark.parametrize("method", methods())
def test_zero_is_always_inside(method: str, rng: np.random.Generator) -> None:
    for offset in (5.0, -5.0):
        low, high = get(method).choose(histogram(rng.normal(offset, 0.5, 20_000)))
        assert low <= 0.0 <= high
