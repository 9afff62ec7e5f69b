"""Mean squared error: the range with the least error of rounding and clipping."""

from __future__ import annotations

import numpy as np

from edge.calibrate.methods.histogram import LEVELS, Histogram, Range
from edge.calibrate.methods.minmax import minmax
from edge.calibrate.methods.registry import Method, register


def mse(histogram: Histogram, candidates: int = 100) -> Range:
    """Search shares of the min-max range for the least mean squared error of the bin centres."""
    low, high = minmax(histogram)
    values, counts = histogram.centres, histogram.counts
    best, least = (low, high), np.inf
    for share in np.linspace(1 / candidates, 1, candidates):
        a, b = low * share, high * share
        scale = max((b - a) / LEVELS, 1e-12)
        rounded = np.clip(np.round((values - a) / scale), 0, LEVELS) * scale + a
        error = float((counts * (values - rounded) ** 2).sum())
        if error < least:
            best, least = (a, b), error
    return best


register(Method("mse", mse))
