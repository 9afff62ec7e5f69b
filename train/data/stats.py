"""Mean and standard deviation of each set, as the seed gave them: RGB in 0..1, over all pixels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from edge.samples.sample import FOREGROUND, IGNORED, Sample


@dataclass
class Moments:
    """Sums over pixels, per channel; float64, so that 10^10 pixels lose nothing that shows."""

    count: int = 0
    total: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    squares: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))

    def add(self, pixels: npt.NDArray[np.floating]) -> None:
        """pixels: [N, channels]."""
        values = pixels.astype(np.float64)
        self.count += len(values)
        self.total = self.total + values.sum(0)
        self.squares = self.squares + (values**2).sum(0)

    def summary(self) -> dict[str, list[float]]:
        mean = self.total / max(self.count, 1)
        variance = np.maximum(self.squares / max(self.count, 1) - mean**2, 0)
        return {"mean": mean.round(4).tolist(), "std": np.sqrt(variance).round(4).tolist()}


def stats(samples: Iterable[Sample]) -> dict[str, dict[str, list[float]]]:
    """Mean and std of `bg`, `fg_bg` (R, G, B), `mask` (share of foreground) and `depth`."""
    sets: dict[str, Moments] = {"bg": Moments(), "fg_bg": Moments(), "mask": Moments()}
    for sample in samples:
        sets["bg"].add(sample.bg[..., ::-1].reshape(-1, 3) / 255)
        sets["fg_bg"].add(sample.fg_bg[..., ::-1].reshape(-1, 3) / 255)
        known = sample.mask[sample.mask != IGNORED]
        sets["mask"].add((known == FOREGROUND).astype(np.float64)[:, None])
        if sample.depth is not None:
            depth = sample.depth[np.isfinite(sample.depth)]
            sets.setdefault("depth", Moments()).add(depth[:, None])
    return {name: moments.summary() for name, moments in sets.items()}
