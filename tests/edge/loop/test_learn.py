"""A scene learned with the bundled network: rendered people walk through a yard with a flag."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import numpy as np
import pytest

import edge
from edge.calibrate.rendering.scene import RenderedScene
from edge.loop.learn import learn_scene, learn_spread
from edge.samples.sample import Image

SIZE = (240, 320)
FLAG = np.s_[20:60, 240:300]


@pytest.fixture
def h(builds: Callable[[str, str], Path]) -> Iterator[edge.Handle]:
    with edge.open(builds("openvino", "fp32"), 1) as opened:
        yield opened


@pytest.fixture(scope="module")
def images() -> list[Image]:
    scene, rng = RenderedScene("yard", 2, SIZE), np.random.default_rng(0)
    taken = []
    for number in range(30):
        image = scene.frame(number * 0.7).image
        image[FLAG] = np.roll(image[FLAG], rng.integers(-3, 4), 1) // 2 + 20 * rng.integers(0, 4)
        taken.append(image)
    return taken


def test_the_flag_is_in_the_spread_and_the_people_are_not(
    h: edge.Handle, images: list[Image]
) -> None:
    learned = learn_scene(h, images)
    assert learned.image.shape == (*SIZE, 3)
    assert learned.spread is not None
    assert learned.spread.shape == (h.height, h.width, 3)
    assert np.array_equal(learned.spread, learn_spread(h, images, learned.image))
    across, down = h.width / SIZE[1], h.height / SIZE[0]
    flag = np.zeros((h.height, h.width), bool)
    flag[int(26 * down) : int(54 * down), int(248 * across) : int(292 * across)] = True
    around = np.ones_like(flag)
    around[: int(66 * down), int(232 * across) :] = False
    assert learned.spread[flag][:, 1].mean() > 8
    assert (learned.spread[around][:, 2] > 25).mean() < 0.01


def test_learning_can_be_ended(h: edge.Handle, images: list[Image]) -> None:
    calls = []

    def end() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise CancelledError

    with pytest.raises(CancelledError):
        learn_scene(h, images, on_image=end)
    with pytest.raises(CancelledError):
        calls.clear()
        learn_spread(h, images, images[0], on_image=end)
