"""The range of values that 16-bit sources (thermal cameras) are shown in.

A range is chosen once, and background and all frames are converted by it: a range of each frame's
own would change the whole image whenever somebody warm enters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import UsageError
from edge.samples.sample import Image

AUTO = "auto"
MOST = 65535
PERCENTILES = (0.1, 99.9)
"""Of the values that `auto` measures; single dead pixels lie beyond."""
MARGIN = 0.5
"""Share of the measured span added on both sides: somebody warm is warmer than the background."""
SMALLEST = 64
"""Span below which there is no scene but noise."""


@dataclass(frozen=True)
class ValueRange:
    """Values of a 16-bit source that become 0 and 255; the others are clipped.

    Attributes:
        low: value that becomes 0.
        high: value that becomes 255.
    """

    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low}:{self.high}"

    def convert(self, values: npt.NDArray[Any]) -> Image:
        """Convert uint16 [H, W] or [H, W, 3] to uint8 [H, W, 3] BGR."""
        image = self._table[values]
        return image if image.ndim == 3 else np.asarray(cv2.merge([image] * 3), np.uint8)

    @cached_property
    def _table(self) -> npt.NDArray[np.uint8]:
        values = np.clip(np.arange(MOST + 1, dtype=np.float64), self.low, self.high)
        scaled = (values - self.low) * (255 / (self.high - self.low))
        return np.asarray(scaled.round(), np.uint8)


def parse_range(text: str) -> ValueRange:
    """Parse `LOW:HIGH`.

    Raises:
        UsageError: it is not two numbers of 16 bits, the lower one first.
    """
    low, _, high = text.partition(":")
    if not (low.isdecimal() and high.isdecimal() and int(low) < int(high) <= MOST):
        raise UsageError(
            f"--range {text}: expected LOW:HIGH in 0 to {MOST}, or {AUTO}",
            "as in --range 7000:8000; --range auto measures it",
        )
    return ValueRange(int(low), int(high))


def range_of(images: Sequence[npt.NDArray[Any]], name: str) -> ValueRange:
    """Choose the range for 16-bit images of a scene.

    Args:
        images: uint16 [H, W] or [H, W, 3].
        name: of their source, for the message.

    Raises:
        UsageError: the images have 8 bits.
    """
    if any(image.dtype != np.uint16 for image in images):
        raise _without_effect(name)
    low, high = np.percentile(np.concatenate([image.ravel() for image in images]), PERCENTILES)
    margin = max(MARGIN * (high - low), SMALLEST / 2)
    return ValueRange(max(0, round(low - margin)), min(MOST, round(high + margin)))


def to_uint8(image: npt.NDArray[Any], name: str, value_range: ValueRange | None) -> Image:
    """Convert an image to uint8 [H, W, 3] BGR.

    Args:
        image: uint8 [H, W, 3], or uint16 [H, W] or [H, W, 3].
        name: of the image or its source, for the messages.
        value_range: range of the 16-bit values; None for an image of 8 bits.

    Raises:
        UsageError: a 16-bit image without a range, or an 8-bit image with one.
    """
    if image.dtype == np.uint16:
        if value_range is None:
            raise UsageError(
                f"{name} has 16-bit values ({image.min()} to {image.max()}), expected 8 bits",
                "--range LOW:HIGH converts them, --range auto chooses the range",
            )
        return value_range.convert(image)
    if value_range is not None:
        raise _without_effect(name)
    return np.asarray(image, np.uint8)


def _without_effect(name: str) -> UsageError:
    return UsageError(f"--range has no effect on {name}, which has 8-bit values")
