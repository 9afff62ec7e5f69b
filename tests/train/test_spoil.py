from __future__ import annotations

import cv2
import numpy as np

from train.spoil import swayed


def test_what_sways_moves_by_pixels_in_a_part_of_the_picture() -> None:
    coarse = np.random.default_rng(0).uniform(0, 255, (16, 16, 3)).astype(np.float32)
    scene = cv2.resize(coarse, (96, 96), interpolation=cv2.INTER_CUBIC)
    # No pixel is darker or brighter than its neighbours within the largest sway (3 px, 3 sigma).
    around = np.ones((21, 21), np.uint8)
    low, high = cv2.erode(scene, around), cv2.dilate(scene, around)
    shares = []
    for seed in range(20):
        moved = swayed(scene, np.random.default_rng(seed))
        assert (moved >= low - 1).all()
        assert (moved <= high + 1).all()
        shares.append((np.abs(moved - scene).max(2) > 1).mean())
    assert max(shares) > 0.3
    assert min(shares) < 0.3


def test_a_flat_wall_does_not_change() -> None:
    wall = np.full((40, 60, 3), 120, np.float32)
    assert np.allclose(swayed(wall, np.random.default_rng(1)), wall)
