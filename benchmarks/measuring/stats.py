"""Summaries of latencies: a percentile needs enough samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.benchmarks.reporting.report import Interval, LatencySummary

ENOUGH = {"p50": 11, "p90": 64, "p95": 130, "p99": 662}
"""Least samples for a percentile: MLPerf's early-stopping counts (confidence .99, tolerance 1)."""
RESAMPLED = 500


def interval(milliseconds: Sequence[float], percent: float) -> Interval:
    """95 % bootstrap interval of a percentile (Efron 1979), the same for the same samples."""
    values = np.asarray(milliseconds, np.float64)
    chosen = np.random.default_rng(0).integers(len(values), size=(RESAMPLED, len(values)))
    percentiles = np.percentile(values[chosen], percent, axis=1)
    low, high = np.percentile(percentiles, (2.5, 97.5))
    return round(float(low), 4), round(float(high), 4)


def summary(milliseconds: Sequence[float]) -> LatencySummary:
    """Summarize all samples; a percentile without enough of them is None."""
    values = np.asarray(milliseconds, np.float64)
    if not len(values):
        raise ValueError("no latencies to summarize")

    def enough(name: str) -> bool:
        return len(values) >= ENOUGH[name]

    def percentile(name: str) -> float | None:
        return round(float(np.percentile(values, float(name[1:]))), 4) if enough(name) else None

    def bounds(name: str) -> Interval | None:
        return interval(values.tolist(), float(name[1:])) if enough(name) else None

    return LatencySummary(
        min=round(float(values.min()), 4),
        mean=round(float(values.mean()), 4),
        p50=percentile("p50"),
        p50_interval=bounds("p50"),
        p90=percentile("p90"),
        p90_interval=bounds("p90"),
        p95=percentile("p95"),
        p99=percentile("p99"),
        max=round(float(values.max()), 4),
        n=len(values),
    )
