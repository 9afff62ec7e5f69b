"""Entropy: the clipping that loses least information."""

from __future__ import annotations

import numpy as np

from edge.calibrate.methods.histogram import Histogram, Range
from edge.calibrate.methods.minmax import minmax
from edge.calibrate.methods.registry import Method, register


def entropy(histogram: Histogram, bins: int = 2048, levels: int = 128) -> Range:
    """Minimise the Kullback-Leibler divergence over clipping thresholds.

    Migacz, "8-bit Inference with TensorRT", GTC 2017: the histogram P of the magnitudes is cut at a
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
        level = np.repeat(sums / np.maximum(filled, 1), np.diff(edges))
        quantized = np.where(kept > 0, level, 0.0)
        p = reference / reference.sum()
        q = np.maximum(quantized / max(quantized.sum(), 1e-12), 1e-12)
        seen = p > 0
        divergence = float((p[seen] * np.log(p[seen] / q[seen])).sum())
        if divergence < least:
            best, least = end, divergence
    limit = best * width
    return max(low, -limit), min(high, limit)


register(Method("entropy", entropy))
