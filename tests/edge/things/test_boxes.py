"""How boxes lie to each other, in numbers that can be counted."""

from __future__ import annotations

import numpy as np
import pytest

from edge.things.boxes import around, grown, iou, shared, stack, stacked

UPPER, LOWER = (10.0, 0.0, 30.0, 20.0), (20.0, 25.0, 60.0, 50.0)


def test_stacked_boxes_share_half_of_the_narrower_one_with_a_tenth_between_them() -> None:
    common, gap = stacked(LOWER, stack([UPPER, LOWER]))
    assert common.tolist() == [0.5, 1.0]  # 10 of 20 columns; itself
    assert gap.tolist() == [0.1, -1.0]  # 5 of 50 rows
    common, gap = stacked(UPPER, stack([LOWER]))
    assert (common.tolist(), gap.tolist()) == ([0.5], [0.1])
    assert stacked(UPPER, stack([(40.0, 0.0, 50.0, 20.0)]))[0].tolist() == [-1.0]


def test_a_box_grows_by_a_share_of_its_own_size_on_each_side() -> None:
    assert grown(stack([LOWER]), 0.1).tolist() == [[16.0, 22.5, 64.0, 52.5]]


def test_what_boxes_share_and_what_is_around_them() -> None:
    assert shared(stack([UPPER]), stack([UPPER, LOWER])).tolist() == [[400.0, 0.0]]
    assert iou(UPPER, (10.0, 10.0, 30.0, 30.0)) == pytest.approx(200 / 600)
    assert around([UPPER, LOWER]) == (10.0, 0.0, 60.0, 50.0)
    assert stack([]).shape == (0, 4) and stack([]).dtype == np.float64
