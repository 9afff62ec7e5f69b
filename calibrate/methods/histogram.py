"""A histogram of a tensor's values, and the range that int8 covers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEVELS = 255
"""Steps of the 8-bit scale."""
Range = tuple[float, float]
"""(low, high): the real values at the ends of the int8 scale. Zero is always inside, so that
padding and ReLU stay exact."""


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
