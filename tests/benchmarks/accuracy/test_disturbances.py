from __future__ import annotations

import numpy as np
import pytest

from edge.benchmarks.accuracy.disturbances import CLEAN, DISTURBANCES, Disturbance, conditions

RNG = np.random.default_rng(0)
SCENE = np.kron(RNG.integers(60, 180, (12, 16, 3)), np.ones((8, 8, 1))).astype(np.uint8)


@pytest.mark.parametrize("name", DISTURBANCES)
def test_a_disturbance_changes_one_image_of_the_pair(name: str) -> None:
    bg, frame = DISTURBANCES[name].apply(SCENE, SCENE, np.random.default_rng(1))
    assert bg.dtype == frame.dtype == np.uint8
    assert bg.shape == frame.shape == SCENE.shape
    changed = [not np.array_equal(image, SCENE) for image in (bg, frame)]
    assert changed == ([True, False] if name in ("background an hour old", "offset of 2 pixels")
                       else [False, True])  # fmt: skip


@pytest.mark.parametrize(("name", "factor"), [("40 % darker", 0.6), ("20 % brighter", 1.2)])
def test_a_gain_is_that_gain(name: str, factor: float) -> None:
    _, frame = DISTURBANCES[name].apply(SCENE, SCENE, np.random.default_rng(1))
    assert np.abs(frame - SCENE * factor).max() <= 0.51


def test_an_offset_is_of_two_pixels_of_224() -> None:
    edge = np.zeros((224, 224, 3), np.uint8)
    edge[:, 112:] = 200
    reach = []
    for seed in range(40):
        bg, _ = DISTURBANCES["offset of 2 pixels"].apply(edge, edge, np.random.default_rng(seed))
        reach.append((bg[112, :, 0].astype(float).sum() - edge[112, :, 0].sum()) / 200)
    assert max(reach) == pytest.approx(2, abs=0.15)
    assert min(reach) == pytest.approx(-2, abs=0.15)


def test_each_disturbance_has_a_generator_of_its_own() -> None:
    """Names of one length must not share their random numbers; a name keeps its own."""
    draws = {d.name: d.rng(3).integers(1 << 40) for d in (CLEAN, *DISTURBANCES.values())}
    assert len(set(draws.values())) == len(draws)
    first, second = (Disturbance(name, CLEAN.apply) for name in ("ab", "cd"))
    assert first.rng(0).integers(1 << 40) != second.rng(0).integers(1 << 40)
    assert first.rng(0).integers(1 << 40) == Disturbance("ab", CLEAN.apply).rng(0).integers(1 << 40)


def test_conditions_name_stabilized_ones_after_their_disturbance() -> None:
    names = conditions()
    assert names.index("offset of 2 pixels, stabilized") == names.index("offset of 2 pixels") + 1
    assert len(names) == len(DISTURBANCES) + 1
