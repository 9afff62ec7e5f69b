from __future__ import annotations

import numpy as np

from edge.samples.shadows import cast_shadow, darken, loose_shadow


def thing() -> np.ndarray:
    alpha = np.zeros((80, 80), np.float32)
    alpha[20:60, 30:50] = 1
    return alpha


def test_a_cast_shadow_begins_at_the_feet() -> None:
    for seed in range(30):
        shadow = cast_shadow(thing(), np.random.default_rng(seed))
        assert shadow[57:63, 25:55].max() > 0.3


def test_nothing_has_no_shadow() -> None:
    assert not cast_shadow(np.zeros((9, 9), np.float32), np.random.default_rng(0)).any()


def test_a_loose_shadow_lies_somewhere() -> None:
    fields = [loose_shadow(64, np.random.default_rng(seed)) for seed in range(20)]
    assert all(0 < field.max() < 1.001 for field in fields)


def test_darkening_multiplies_where_the_shadow_is() -> None:
    scene = np.full((2, 2, 3), 100, np.float32)
    darken(scene, np.array([[0, 1], [0.5, 0]], np.float32), 0.6)
    np.testing.assert_allclose(scene[..., 0], [[100, 40], [70, 100]])
