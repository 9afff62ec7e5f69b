"""Whether a thing is in a zone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.zones.area import IgnoredPixels, ZoneArea, stands_at
from edge.zones.zone import Zone

from .tracks import SIZE, track

HALF = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
"""The left half of the frame, 100 of 200 columns."""
LEFT = Zone("left", "restricted", HALF, hysteresis=0.05)
"""5 of 100 rows of hysteresis."""


def test_the_foot_counts_and_not_the_box() -> None:
    area = ZoneArea(LEFT, SIZE)
    assert area.includes(track(foot=(98.0, 50.0), width=60), False) is True
    assert area.includes(track(foot=(102.0, 50.0), width=60), False) is False


def test_who_is_in_must_be_further_out() -> None:
    area = ZoneArea(LEFT, SIZE)
    assert area.includes(track(foot=(104.0, 50.0)), True) is True
    assert area.includes(track(foot=(106.0, 50.0)), True) is False
    assert area.includes(track(foot=(104.0, 50.0)), False) is False


def test_a_foot_that_is_hidden_says_nothing() -> None:
    area = ZoneArea(LEFT, SIZE)
    hidden = track(foot=None, place=(50.0, 60.0))
    assert area.includes(hidden, False) is None
    assert area.includes(hidden, True) is None


def test_who_is_cut_off_below_stands_at_the_border() -> None:
    cut = track(foot=None, place=(50.0, 100.0))
    assert stands_at(cut, SIZE) == (50.0, 99.0)
    assert ZoneArea(replace(LEFT, points=HALF), SIZE).includes(cut, False) is True
    above = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.8), (0.0, 0.8))
    assert ZoneArea(replace(LEFT, points=above), SIZE).includes(cut, False) is False


def test_depth_tells_people_apart_that_stand_at_one_place_of_the_image() -> None:
    area = ZoneArea(replace(LEFT, depth=(0.4, 0.6)), SIZE)
    inside = (50.0, 50.0)
    assert area.includes(track(foot=inside, ground_depth=0.5, depth=0.1), False) is True
    assert area.includes(track(foot=inside, ground_depth=0.39, depth=0.5), False) is False
    assert area.includes(track(foot=inside, ground_depth=0.61, depth=0.5), True) is True
    assert area.includes(track(foot=inside, ground_depth=0.64, depth=0.5), True) is False
    assert area.includes(track(foot=inside, ground_depth=None), False) is None


def test_metres_count_along_the_ground() -> None:
    area = ZoneArea(replace(LEFT, distance_m=(0.0, 5.0)), SIZE)
    assert area.includes(track(foot=(50.0, 50.0), position=(3.0, 3.9)), False) is True
    assert area.includes(track(foot=(50.0, 50.0), position=(3.0, 4.1)), False) is False
    assert area.includes(track(foot=(50.0, 50.0), position=None), False) is None


def test_overlap_is_half_of_the_thing() -> None:
    area = ZoneArea(replace(LEFT, rule="overlap", hysteresis=0.0, depth=(0.4, 1.0)), SIZE)
    assert area.includes(track(foot=None, place=(95.0, 50.0), width=40), False) is True
    assert area.includes(track(foot=None, place=(105.0, 50.0), width=40), False) is False
    assert area.includes(track(foot=None, place=(105.0, 50.0), width=40), True) is True
    assert area.includes(track(foot=None, place=(110.0, 50.0), width=40), True) is False
    # Its own depth counts, because it may have no foot.
    far = track(foot=(50.0, 50.0), ground_depth=0.5, depth=0.3)
    assert area.includes(far, False) is False


def test_any_part_is_enough() -> None:
    area = ZoneArea(replace(LEFT, rule="any"), SIZE)
    assert area.includes(track(place=(110.0, 50.0), foot=None, width=40), False) is True
    assert area.includes(track(place=(125.0, 50.0), foot=None, width=40), False) is False
    # Hysteresis of 5 pixels
    assert area.includes(track(place=(123.0, 50.0), foot=None, width=40), True) is True
    assert area.includes(track(place=(128.0, 50.0), foot=None, width=40), True) is False


def test_small_and_young_things_are_not_in() -> None:
    area = ZoneArea(replace(LEFT, min_size=0.01, min_age_s=2.0), SIZE)
    inside = (50.0, 50.0)
    assert area.includes(track(foot=inside, area=0.02, at=2.0), False) is True
    assert area.includes(track(foot=inside, area=0.009, at=2.0), False) is False
    assert area.includes(track(foot=inside, area=0.009, at=2.0), True) is True
    assert area.includes(track(foot=inside, area=0.006, at=2.0), True) is False
    assert area.includes(track(foot=inside, area=0.02, at=1.9), False) is False


@pytest.mark.parametrize("white", [1, 255])
def test_ignored_pixels_are_cut_out_of_a_mask(white: int) -> None:
    dtype = np.uint8 if white == 255 else np.float32
    mask = np.full((10, 20), white, dtype)
    depth = np.zeros((10, 20), dtype)
    depth[:5] = round(0.8 * white) if white == 255 else 0.8
    zones = [
        Zone("tree", "ignored", HALF, depth=(0.5, 1.0)),
        Zone("sky", "ignored", ((0.75, 0.0), (1.0, 0.0), (1.0, 1.0), (0.75, 1.0))),
    ]
    ignored = IgnoredPixels(zones, (10, 20))
    expected = mask.copy()
    expected[:5, :10] = 0
    expected[:, 15:] = 0
    cut = ignored.cut(mask, depth, 0.0)
    assert cut.dtype == dtype and (cut == expected).all()
    assert (mask == white).all()  # it belongs to the runtime
    assert (ignored.cut(mask, None, 0.0)[:, :10] == white).all()
    assert (ignored.cut(mask, depth, 0.0, {"sky"})[:, 15:] == white).all()
    assert IgnoredPixels([], (10, 20)).cut(mask, depth, 0.0) is mask


def test_a_foot_on_the_edge_is_in() -> None:
    area = ZoneArea(LEFT, SIZE)
    assert area.includes(track(foot=(99.6, 50.0)), False) is True
    assert area.includes(track(foot=(100.0, 50.0)), False) is True
    assert area.includes(track(foot=(100.1, 50.0)), False) is False


@pytest.mark.parametrize(("lower_end", "cut"), [(97.0, False), (98.0, True), (100.0, True)])
def test_a_box_is_cut_off_within_two_pixels_of_the_border(lower_end: float, cut: bool) -> None:
    seen = track(foot=None, place=(50.0, lower_end))
    assert stands_at(seen, SIZE) == ((50.0, 99.0) if cut else None)
