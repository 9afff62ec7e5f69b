"""Blobs of a mask, against OpenCV's labelling of every pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.loop.blobs import blobs

SIZE = (448, 896)


def scene() -> tuple[np.ndarray, np.ndarray]:
    mask = np.zeros((224, 224), np.float32)
    mask[20:60, 30:50] = 0.9
    cv2.ellipse(mask, (150, 120), (40, 25), 20, 0, 360, 0.8, -1)
    mask[200:202, 10:12] = 1.0
    mask[100, 10] = 0.49
    depth = np.tile(np.linspace(0, 1, 224, dtype=np.float32)[:, None], (1, 224))
    return mask, depth


def test_boxes_areas_and_depths_are_those_of_the_labelled_pixels() -> None:
    mask, depth = scene()
    parts = blobs(mask, depth, SIZE)
    number, labels, stats, _ = cv2.connectedComponentsWithStats((mask >= 0.5).astype(np.uint8))
    order = sorted(range(1, number), key=lambda i: -stats[i, cv2.CC_STAT_AREA])[:2]
    assert len(parts) == 2  # four pixels are noise
    for blob, label in zip(parts, order, strict=True):
        left, top, wide, tall, area = stats[label]
        assert blob.box == (4 * left, 2 * top, 4 * wide, 2 * tall)
        assert blob.area == pytest.approx(area / mask.size, rel=0.04)
        inside = depth[labels == label]
        assert blob.depth == pytest.approx(float(np.median(inside)), abs=0.01)


def test_bytes_give_the_same() -> None:
    mask, depth = scene()
    plain = blobs(mask, depth, SIZE)
    as_bytes = blobs((mask * 255).round().astype(np.uint8), (depth * 255).astype(np.uint8), SIZE)
    assert [b.box for b in plain] == [b.box for b in as_bytes]
    for a, b in zip(plain, as_bytes, strict=True):
        assert a.depth == pytest.approx(b.depth, abs=0.01)


def test_the_smallest_size_can_be_chosen() -> None:
    mask, _ = scene()
    parts = blobs(mask, None, SIZE, smallest=0)
    assert len(parts) == 3
    assert all(blob.depth is None for blob in parts)
    assert parts[0].area > parts[1].area > parts[2].area


def test_a_crowd_is_listed_in_full() -> None:
    mask = np.zeros((224, 224), np.float32)
    for row in range(4, 220, 12):
        for column in range(4, 220, 12):
            mask[row : row + 6, column : column + 6] = 1
    assert len(blobs(mask, None, SIZE)) == 18 * 18


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_an_empty_and_a_full_mask(value: float) -> None:
    parts = blobs(np.full((64, 96), value, np.float32), None, (64, 96))
    if value:
        assert parts[0].box == (0, 0, 96, 64)
        assert parts[0].area == pytest.approx(1, abs=0.01)
    else:
        assert parts == []
