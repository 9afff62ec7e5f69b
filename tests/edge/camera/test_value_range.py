"""How 16 bits become 8."""

from __future__ import annotations

import numpy as np
import pytest

from edge.camera.value_range import ValueRange, range_of, to_uint8
from edge.errors import UsageError


def test_a_still_scene_keeps_a_span() -> None:
    chosen = range_of([np.full((8, 8), 20, np.uint16)], "cam")
    assert (chosen.low, chosen.high) == (0, 52)


def test_values_are_clipped_and_rounded() -> None:
    values = np.array([[0, 6999, 7000, 7002, 7500, 8000, 65535]], np.uint16)
    grey = ValueRange(7000, 8000).convert(values)
    assert grey.shape == (1, 7, 3)
    assert grey[0, :, 0].tolist() == [0, 0, 0, 1, 128, 255, 255]


def test_bits_and_range_belong_together() -> None:
    with pytest.raises(UsageError, match=r"cam has 16-bit values \(5 to 9\), expected 8 bits"):
        to_uint8(np.array([[5, 9]], np.uint16), "cam", None)
    with pytest.raises(UsageError, match="no effect on cam, which has 8-bit values"):
        to_uint8(np.zeros((1, 1, 3), np.uint8), "cam", ValueRange(0, 9))
