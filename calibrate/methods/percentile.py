"""Percentile: the range of the middle share of the values."""

from __future__ import annotations

import numpy as np

from edge.calibrate.methods.histogram import Histogram, Range
from edge.calibrate.methods.registry import Method, register


def percentile(histogram: Histogram, share: float = 0.9999) -> Range:
    """Cover the middle `share` of the values and clip the rest, half at each end."""
    cumulative = np.cumsum(histogram.counts) / histogram.counts.sum()
    tail = (1 - share) / 2
    width = (histogram.high - histogram.low) / len(histogram.counts)
    first = int(np.searchsorted(cumulative, tail, side="right"))
    last = int(np.searchsorted(cumulative, 1 - tail, side="left"))
    low = histogram.low + first * width
    high = histogram.low + (last + 1) * width
    return min(low, 0.0), max(min(high, histogram.high), 0.0)


register(Method("percentile", percentile))
