"""Mean and standard deviation of a data set's parts, as the seed gave them: RGB in 0..1."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from edge.samples.sample import FOREGROUND, IGNORED, Sample


@dataclass
class Moments:
    """Sums over pixels per channel, in float64 so that 10^10 pixels lose no visible digit."""

    count: int = 0
    total: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    squares: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))

    def add(self, pixels: npt.NDArray[np.floating]) -> None:
        """Add pixels, [N, channels]."""
        values = pixels.astype(np.float64)
        self.count += len(values)
        self.total = self.total + values.sum(0)
        self.squares = self.squares + (values**2).sum(0)

    def summary(self) -> dict[str, list[float]]:
        """Mean and standard deviation of each channel."""
        mean = self.total / max(self.count, 1)
        variance = np.maximum(self.squares / max(self.count, 1) - mean**2, 0)
        return {"mean": mean.round(4).tolist(), "std": np.sqrt(variance).round(4).tolist()}


def stats(samples: Iterable[Sample]) -> dict[str, dict[str, list[float]]]:
    """Measure a data set.

    Args:
        samples: All that are measured.

    Returns:
        `mean` and `std` of `bg` and `fg_bg` (R, G, B) and, where there is any, of `mask` (share of
        foreground in labelled pixels) and `depth`.
    """
    parts: dict[str, Moments] = {"bg": Moments(), "fg_bg": Moments()}
    for sample in samples:
        parts["bg"].add(sample.bg[..., ::-1].reshape(-1, 3) / 255)
        parts["fg_bg"].add(sample.fg_bg[..., ::-1].reshape(-1, 3) / 255)
        labelled = sample.mask[sample.mask != IGNORED]
        if labelled.size:
            foreground = (labelled == FOREGROUND).astype(np.float64)
            parts.setdefault("mask", Moments()).add(foreground[:, None])
        if sample.depth is not None:
            depth = sample.depth[np.isfinite(sample.depth)]
            parts.setdefault("depth", Moments()).add(depth[:, None])
    return {name: moments.summary() for name, moments in parts.items()}
