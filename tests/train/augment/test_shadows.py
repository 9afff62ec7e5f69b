from __future__ import annotations

import numpy as np

from edge.train.augment.shadows import (
    cast_shadow,
    contact_shadow,
    reflect,
)


def thing() -> np.ndarray:
    alpha = np.zeros((80, 80), np.float32)
    alpha[20:60, 30:50] = 1
    return alpha


def test_a_cast_shadow_begins_at_the_feet() -> None:
    for seed in range(30):
        shadow = cast_shadow(thing(), np.random.default_rng(seed))
        assert shadow[57:63, 25:55].max() > 0.3


def test_nothing_has_no_shadow() -> None:
    for shadow in (cast_shadow, contact_shadow):
        assert not shadow(np.zeros((9, 9), np.float32), np.random.default_rng(0)).any()


def test_a_contact_shadow_lies_under_the_whole_foot_and_nowhere_else() -> None:
    for seed in range(30):
        shadow = contact_shadow(thing(), np.random.default_rng(seed))
        assert shadow[59:61, 36:44].min() > 0.3
        assert shadow[:45].max() < 0.1 and shadow[75:].max() < 0.1


def test_a_reflection_is_the_thing_upside_down_and_faint() -> None:
    for seed in range(20):
        scene = np.full((80, 80, 3), 100, np.float32)
        colour = np.zeros((40, 20, 3), np.float32)
        colour[:20], colour[20:] = 200, 20  # a bright head on dark legs
        reflect(scene, colour, np.ones((40, 20), np.float32), (30, 20), np.random.default_rng(seed))
        below = scene[60:, 30:50, 0]
        assert below[:17].max() < 100  # the legs, next to the foot
        assert scene[:60].min() == scene[:60].max() == 100
        assert 60 <= below.min() < 95


def test_a_thing_that_leaves_the_picture_below_is_not_reflected() -> None:
    scene = np.full((40, 40, 3), 100, np.float32)
    colour, alpha = np.zeros((20, 10, 3), np.float32), np.ones((20, 10), np.float32)
    reflect(scene, colour, alpha, (5, 20), np.random.default_rng(0))
    assert (scene == 100).all()
