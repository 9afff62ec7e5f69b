"""The things of a mask, against OpenCV's labelling of every pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.things.find import find_things
from edge.things.ground import Ground

SIZE = (448, 896)


def scene() -> tuple[np.ndarray, np.ndarray]:
    mask = np.zeros((224, 224), np.float32)
    mask[20:60, 30:50] = 0.9
    cv2.ellipse(mask, (150, 120), (40, 25), 20, 0, 360, 0.8, -1)
    mask[200:202, 10:12] = 1.0
    mask[100, 10] = 0.49
    depth = np.tile(np.linspace(0, 1, 224, dtype=np.float32)[:, None], (1, 224))
    return mask, depth


def test_boxes_areas_depths_and_confidence_are_those_of_the_labelled_pixels() -> None:
    mask, depth = scene()
    things = find_things(mask, depth, SIZE)
    number, labels, stats, _ = cv2.connectedComponentsWithStats((mask >= 0.5).astype(np.uint8))
    order = sorted(range(1, number), key=lambda i: -stats[i, cv2.CC_STAT_AREA])[:2]
    assert len(things) == 2  # four pixels are noise
    for thing, label in zip(things, order, strict=True):
        left, top, wide, tall, area = stats[label]
        assert thing.box == (4 * left, 2 * top, 4 * wide, 2 * tall)
        assert thing.area == pytest.approx(area / mask.size, rel=0.04)
        assert thing.depth == pytest.approx(float(np.median(depth[labels == label])), abs=1e-6)
        assert thing.confidence == pytest.approx(float(mask[labels == label].mean()), abs=1e-6)
        assert thing.outline.dtype == np.int32
        assert cv2.boundingRect(thing.outline) == pytest.approx(thing.box, abs=3)


def test_bytes_give_the_same() -> None:
    mask, depth = scene()
    plain = find_things(mask, depth, SIZE)
    as_bytes = find_things(
        (mask * 255).round().astype(np.uint8), (depth * 255).astype(np.uint8), SIZE
    )
    assert [t.box for t in plain] == [t.box for t in as_bytes]
    assert [t.foot for t in plain] == [t.foot for t in as_bytes]
    for a, b in zip(plain, as_bytes, strict=True):
        assert a.depth == pytest.approx(b.depth, abs=0.01)
        assert a.confidence == pytest.approx(b.confidence, abs=0.01)


def test_depth_and_confidence_are_not_taken_from_what_reaches_into_the_box() -> None:
    mask = np.zeros((100, 100), np.float32)
    mask[10:80, 10:14] = mask[76:80, 10:60] = 0.6  # an L, and something else in its corner
    mask[20:60, 30:55] = 1.0
    depth = np.where(mask == 1, 0.9, 0.2).astype(np.float32)
    by_size = find_things(mask, depth, (100, 100))
    assert [t.depth for t in by_size] == [pytest.approx(0.9), pytest.approx(0.2)]
    assert [t.confidence for t in by_size] == [pytest.approx(1), pytest.approx(0.6)]


def test_the_smallest_size_can_be_chosen() -> None:
    mask, _ = scene()
    things = find_things(mask, None, SIZE, smallest=0)
    assert len(things) == 3
    assert all(thing.depth is None and thing.ground_depth is None for thing in things)
    assert things[0].area > things[1].area > things[2].area


def test_one_pixel_is_a_thing() -> None:
    mask = np.zeros((224, 224), np.float32)
    mask[50, 60] = 1
    (thing,) = find_things(mask, mask, (224, 224), smallest=0)
    assert thing.box == (60, 50, 1, 1)
    assert thing.foot == (60.5, 51.0)
    assert thing.depth == 1


def test_a_crowd_is_listed_in_full() -> None:
    mask = np.zeros((224, 224), np.float32)
    for row in range(4, 212, 9):
        for column in range(4, 220, 9):
            mask[row : row + 6, column : column + 6] = 1
    assert len(find_things(mask, None, SIZE)) == 24 * 24


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_an_empty_and_a_full_mask(value: float) -> None:
    ground = Ground(np.zeros((64, 96, 3), np.uint8), np.zeros((64, 96), np.float32))
    things = find_things(np.full((64, 96), value, np.float32), None, (64, 96), ground)
    if value:
        assert things[0].box == (0, 0, 96, 64)
        assert things[0].area == pytest.approx(1, abs=0.01)
        assert things[0].foot is None
    else:
        assert things == []


def test_depth_without_a_value_is_left_out() -> None:
    mask, depth = scene()
    depth[:130] = np.nan
    ellipse, square = find_things(mask, depth, SIZE)
    inside = (mask == np.float32(0.8)) & np.isfinite(depth)
    assert ellipse.depth == pytest.approx(float(np.median(depth[inside])), abs=1e-6)
    assert square.depth is None
    broken = np.full_like(mask, np.nan)
    assert find_things(broken, depth, SIZE) == []
