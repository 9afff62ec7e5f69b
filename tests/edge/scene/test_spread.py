from __future__ import annotations

import numpy as np

from edge.scene.spread import LEAST, QUANTILES, deviation, spread_of

RNG = np.random.default_rng(0)
BG = RNG.integers(60, 190, (20, 30, 3), np.uint8)


def moments(count: int, strength: int = 40) -> list[np.ndarray]:
    noise = RNG.integers(-strength, strength + 1, (count, 20, 30, 3))
    return [(BG + n).astype(np.uint8) for n in noise]


def test_deviation_is_that_of_the_channel_that_differs_most() -> None:
    image = moments(1)[0]
    expected = np.abs(image.astype(int) - BG.astype(int)).max(-1)
    np.testing.assert_array_equal(deviation(image, BG), expected)


def test_the_channels_are_numpys_quantiles_over_time() -> None:
    images = moments(21)
    values = np.stack([deviation(image, BG) for image in images])
    expected = np.quantile(values, QUANTILES, axis=0, method="nearest").transpose(1, 2, 0)
    np.testing.assert_array_equal(spread_of(images, BG), expected)


def test_what_is_new_does_not_count() -> None:
    images = moments(21)
    empty = RNG.random((21, 20, 30)) < 0.6
    values = np.stack([deviation(image, BG) for image in images]).astype(float)
    values[~empty] = np.nan
    expected = np.nanquantile(values, QUANTILES, axis=0, method="nearest").transpose(1, 2, 0)
    expected[empty.sum(0) < LEAST] = 0
    np.testing.assert_array_equal(spread_of(images, BG, list(empty)), expected)


def test_too_few_images_tell_nothing() -> None:
    assert not spread_of(moments(LEAST - 1), BG).any()
    assert spread_of(moments(LEAST), BG).any()
    never = [np.zeros((20, 30), np.bool_)] * 21
    assert not spread_of(moments(21), BG, never).any()


def test_a_scene_that_does_not_move_has_no_spread() -> None:
    assert not spread_of([BG] * 9, BG).any()
