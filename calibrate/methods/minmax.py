"""Min-max: the range of everything that was seen."""

from __future__ import annotations

from edge.calibrate.methods.histogram import Histogram, Range
from edge.calibrate.methods.registry import Method, register


def minmax(histogram: Histogram) -> Range:
    """The extremes."""
    return min(histogram.low, 0.0), max(histogram.high, 0.0)


register(Method("minmax", minmax, needs_bins=False))
