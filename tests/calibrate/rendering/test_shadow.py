from __future__ import annotations

import numpy as np

from edge.calibrate.rendering.shadow import darken, shadow_from_outside


def test_a_shadow_from_outside_lies_somewhere() -> None:
    fields = [shadow_from_outside(64, np.random.default_rng(seed)) for seed in range(20)]
    assert all(0 < field.max() < 1.001 for field in fields)


def test_darkening_multiplies_where_the_shadow_is() -> None:
    scene = np.full((2, 2, 3), 100, np.float32)
    darken(scene, np.array([[0, 1], [0.5, 0]], np.float32), 0.6)
    np.testing.assert_allclose(scene[..., 0], [[100, 40], [70, 100]])
