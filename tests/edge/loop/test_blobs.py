"""Things in a mask, against OpenCV's labelling of every pixel."""

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
    found = blobs(mask, depth, SIZE)
    number, labels, stats, _ = cv2.connectedComponentsWithStats((mask >= 0.5).astype(np.uint8))
    order = sorted(range(1, number), key=lambda i: -stats[i, cv2.CC_STAT_AREA])[:2]
    assert len(found) == 2  # four pixels are noise
    for blob, label in zip(found, order, strict=True):
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


def test_the_smallest_can_be_asked_for_and_the_most_ends_the_list() -> None:
    mask, _ = scene()
    everything = blobs(mask, None, SIZE, smallest=0)
    assert len(everything) == 3
    assert all(blob.depth is None for blob in everything)
    assert len(blobs(mask, None, SIZE, smallest=0, most=1)) == 1
    assert everything[0].area > everything[1].area > everything[2].area


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_an_empty_and_a_full_mask(value: float) -> None:
    found = blobs(np.full((64, 96), value, np.float32), None, (64, 96))
    if value:
        assert found[0].box == (0, 0, 96, 64)
        assert found[0].area == pytest.approx(1, abs=0.01)
    else:
        assert found == []
