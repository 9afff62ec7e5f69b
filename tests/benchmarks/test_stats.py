from __future__ import annotations

import numpy as np
import pytest

from benchmarks.stats import ENOUGH, summary


def test_no_sample_is_thrown_away(rng: np.random.Generator) -> None:
    values = [*rng.uniform(1, 2, 999), 500.0]
    found = summary(values)
    assert found["max"] == 500.0
    assert found["n"] == 1000
    assert found["mean"] == pytest.approx(np.mean(values), abs=1e-3)
    assert found["p90"] == pytest.approx(np.percentile(values, 90), abs=1e-3)


@pytest.mark.parametrize("name", ENOUGH)
def test_a_percentile_needs_enough_samples(name: str) -> None:
    least = ENOUGH[name]
    assert summary([1.0] * (least - 1))[name] is None
    assert summary([1.0] * least)[name] == 1.0


def test_nothing_measured_is_an_error() -> None:
    with pytest.raises(ValueError, match="no latencies"):
        summary([])
