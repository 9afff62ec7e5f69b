"""Summaries of latencies that claim no more than there were samples for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

ENOUGH = {"p50": 11, "p90": 64, "p95": 130, "p99": 662}
"""Least samples for a percentile: MLPerf's early-stopping counts (confidence .99, tolerance 1)."""


INTERVALS = ("p50", "p90")
RESAMPLED = 500
Summary = dict[str, float | int | list[float] | None]


def interval(milliseconds: Sequence[float], share: float) -> list[float]:
    """95 % bootstrap interval of a percentile (Efron 1979), the same for the same samples."""
    values = np.asarray(milliseconds, np.float64)
    chosen = np.random.default_rng(0).integers(len(values), size=(RESAMPLED, len(values)))
    found = np.percentile(values[chosen], share, axis=1)
    return [round(float(side), 4) for side in np.percentile(found, (2.5, 97.5))]


def summary(milliseconds: Sequence[float]) -> Summary:
    """min, mean, percentiles, max and n of all samples; a percentile without enough is None.

    p50_interval, p90_interval: [low, high] of 95 %, None where the percentile is.
    """
    values = np.asarray(milliseconds, np.float64)
    if not len(values):
        raise ValueError("no latencies to summarise")
    found: Summary = {
        "min": round(float(values.min()), 4),
        "mean": round(float(values.mean()), 4),
    }
    for name, least in ENOUGH.items():
        share = float(name[1:])
        enough = len(values) >= least
        found[name] = round(float(np.percentile(values, share)), 4) if enough else None
        if name in INTERVALS:
            found[f"{name}_interval"] = interval(values.tolist(), share) if enough else None
    return {**found, "max": round(float(values.max()), 4), "n": len(values)}
