"""From what a tensor's values were to the range that int8 should cover.

Each method takes a histogram and gives (low, high), the real values that the ends of the int8
scale stand for. Zero is always inside: padding and ReLU must stay exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEVELS = 255
"""Steps of the 8-bit scale."""


@dataclass
class Histogram:
    """How often a tensor's values fell into equal bins over [low, high]; counts is int64 [bins]."""

    low: float
    high: float
    counts: npt.NDArray[np.int64]

    @property
    def centres(self) -> npt.NDArray[np.float64]:
        width = (self.high - self.low) / len(self.counts)
        return np.asarray(self.low + width * (np.arange(len(self.counts)) + 0.5), np.float64)


Range = tuple[float, float]


def minmax(histogram: Histogram) -> Range:
    """Everything that was seen."""
    return min(histogram.low, 0.0), max(histogram.high, 0.0)


def percentile(histogram: Histogram, share: float = 0.9999) -> Range:
    """The middle `share` of the values; the rest, half at each end, is clipped."""
    cumulative = np.cumsum(histogram.counts) / histogram.counts.sum()
    tail = (1 - share) / 2
    width = (histogram.high - histogram.low) / len(histogram.counts)
    first = int(np.searchsorted(cumulative, tail, side="right"))
    last = int(np.searchsorted(cumulative, 1 - tail, side="left"))
    low = histogram.low + first * width
    high = histogram.low + (last + 1) * width
    return min(low, 0.0), max(min(high, histogram.high), 0.0)


def mse(histogram: Histogram, candidates: int = 100) -> Range:
    """The range with the least mean squared error of rounding and clipping.

    Searched over shares of the min-max range, as the histogram's bin centres would be quantized.
    """
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


def entropy(histogram: Histogram, bins: int = 2048, levels: int = 128) -> Range:
    """The clipping that loses least information (Kullback-Leibler divergence).

    Migacz, "8-bit Inference with TensorRT", GTC 2017: the magnitudes' histogram P is cut at a
    threshold, its tail added to the last bin, and compared with Q, the same at `levels` levels.
    """
    low, high = minmax(histogram)
    largest = max(-low, high)
    if largest == 0:
        return low, high
    width = largest / bins
    place = np.minimum((np.abs(histogram.centres) / width).astype(int), bins - 1)
    magnitudes = np.bincount(place, weights=histogram.counts, minlength=bins)
    # Exact zeros (ReLU, padding) are representable at any scale and say nothing about it.
    magnitudes[0] = 0
    if not magnitudes.any():
        return low, high
    best, least = bins, np.inf
    for end in range(levels, bins + 1, 8):
        kept = magnitudes[:end].copy()
        if not kept.any():
            continue
        reference = kept.copy()
        reference[-1] += magnitudes[end:].sum()
        edges = np.linspace(0, end, levels + 1).astype(int)
        sums = np.add.reduceat(kept, edges[:-1])
        filled = np.add.reduceat((kept > 0).astype(float), edges[:-1])
        spread = np.repeat(sums / np.maximum(filled, 1), np.diff(edges))
        quantized = np.where(kept > 0, spread, 0.0)
        p = reference / reference.sum()
        q = np.maximum(quantized / max(quantized.sum(), 1e-12), 1e-12)
        seen = p > 0
        divergence = float((p[seen] * np.log(p[seen] / q[seen])).sum())
        if divergence < least:
            best, least = end, divergence
    limit = best * width
    return max(low, -limit), min(high, limit)


METHODS: dict[str, Callable[[Histogram], Range]] = {
    "minmax": minmax,
    "percentile": percentile,
    "entropy": entropy,
    "mse": mse,
}

SHAPED = (percentile, entropy, mse)
"""Those that look at how the values are spread, not at the extremes alone."""
