"""Summaries of latencies that claim no more than there were samples for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

ENOUGH = {"p50": 11, "p90": 64, "p95": 130, "p99": 662}
"""Least samples for a percentile: MLPerf's early-stopping counts (confidence .99, tolerance 1)."""


def summary(milliseconds: Sequence[float]) -> dict[str, float | int | None]:
    """min, mean, percentiles, max and n of all samples; a percentile without enough is None."""
    values = np.asarray(milliseconds, np.float64)
    if not len(values):
        raise ValueError("no latencies to summarise")
    found: dict[str, float | int | None] = {
        "min": round(float(values.min()), 4),
        "mean": round(float(values.mean()), 4),
    }
    for name, least in ENOUGH.items():
        share = float(name[1:])
        enough = len(values) >= least
        found[name] = round(float(np.percentile(values, share)), 4) if enough else None
    return {**found, "max": round(float(values.max()), 4), "n": len(values)}
