from __future__ import annotations

import numpy as np
import pytest

from edge.benchmarks.measuring.stats import ENOUGH, interval, summary


def test_no_sample_is_thrown_away(rng: np.random.Generator) -> None:
    values = [*rng.uniform(1, 2, 999), 500.0]
    latency = summary(values)
    assert latency.max == 500.0
    assert latency.n == 1000
    assert latency.mean == pytest.approx(np.mean(values), abs=1e-3)
    assert latency.p90 == pytest.approx(np.percentile(values, 90), abs=1e-3)


@pytest.mark.parametrize("name", ENOUGH)
def test_a_percentile_needs_enough_samples(name: str) -> None:
    least = ENOUGH[name]
    assert getattr(summary([1.0] * (least - 1)), name) is None
    assert getattr(summary([1.0] * least), name) == 1.0


def test_nothing_measured_is_an_error() -> None:
    with pytest.raises(ValueError, match="no latencies"):
        summary([])


def test_the_interval_holds_the_true_median_most_of_the_time(rng: np.random.Generator) -> None:
    """95 % by name: of 200 draws of 100 samples, the median of 5 is inside about 190 times."""
    inside = 0
    for _ in range(200):
        low, high = interval(rng.normal(5, 1, 100), 50)
        inside += low <= 5 <= high
    assert 178 <= inside <= 199


def test_the_interval_narrows_with_more_samples(rng: np.random.Generator) -> None:
    few, many = (np.subtract(*interval(rng.normal(5, 1, n), 90)[::-1]) for n in (70, 7000))
    assert many < few / 3


def test_too_few_samples_have_no_interval() -> None:
    latency = summary([1.0] * 63)
    assert latency.p90_interval is None
    assert latency.p50_interval == (1.0, 1.0)


@pytest.mark.parametrize(("name", "least"), ENOUGH.items())
def test_enough_is_as_many_as_miss_a_percentile_twice_with_confidence(
    name: str, least: int
) -> None:
    """The least n of which no more than one is beyond the percentile in 1 % of the cases."""
    below = float(name[1:]) / 100

    def at_most_one(n: int) -> float:
        return float(below**n + n * (1 - below) * below ** (n - 1))

    assert at_most_one(least) <= 0.01 < at_most_one(least - 1)


def test_an_interval_is_as_far_below_as_above(rng: np.random.Generator) -> None:
    """That of mirrored samples is mirrored."""
    values = rng.normal(0, 1, 101)
    low, high = interval(values.tolist(), 50)
    assert interval((-values).tolist(), 50) == (-high, -low)
