from __future__ import annotations

import numpy as np
import pytest

from edge.calibrate.rendering.life import Life, random_life, to_image

SIZE = 64
RNG = np.random.default_rng(0)
TEXTURE = RNG.uniform(0, 255, (SIZE, SIZE, 3)).astype(np.float32)
LEFT = np.zeros((SIZE, SIZE), np.float32)
LEFT[:, :20] = 1


@pytest.mark.parametrize("life", [Life(LEFT, sway=2.0), Life(LEFT, shimmer=0.3)])
def test_only_the_region_moves(life: Life) -> None:
    now = life.moment(TEXTURE, np.random.default_rng(1))
    changed = np.abs(now - TEXTURE).max(-1) > 5
    assert changed[:, :20].mean() > 0.3
    np.testing.assert_allclose(now[:, 20:], TEXTURE[:, 20:], atol=1e-3)


def test_a_trembling_camera_moves_everything_alike() -> None:
    step = np.zeros((SIZE, SIZE, 3), np.float32)
    step[:, 32:] = 200
    life = Life(np.zeros((SIZE, SIZE), np.float32), tremble=3.0)
    edges = []
    for seed in range(40):
        row = life.moment(step, np.random.default_rng(seed))[..., 0].mean(0)
        edges.append(SIZE - row.sum() / 200)
    assert np.mean(edges) == pytest.approx(32, abs=1.5)
    assert np.std(edges) == pytest.approx(3, rel=0.3)


def test_flicker_changes_the_light_of_all() -> None:
    life = Life(LEFT, flicker=0.1)
    ratio = life.moment(TEXTURE, np.random.default_rng(2)) / np.maximum(TEXTURE, 1e-3)
    assert ratio.std() < 1e-4 and abs(ratio.mean() - 1) > 1e-3


def test_a_scene_without_life_stays() -> None:
    np.testing.assert_array_equal(Life(LEFT).moment(TEXTURE, RNG), TEXTURE)


def test_a_life_depends_on_its_generator_alone() -> None:
    a, b = (random_life(SIZE, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(a.region, b.region)
    assert (a.sway, a.cells, a.tremble) == (b.sway, b.cells, b.tremble)
    first, second = (a.moment(TEXTURE, np.random.default_rng(n)) for n in (1, 2))
    assert (to_image(first) != to_image(second)).any()
