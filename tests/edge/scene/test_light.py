"""Light: compared, and looked through."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.samples.sample import Image
from edge.scene.light import light_of, same_structure
from tests.edge.scene.test_upkeep import infrared, lit, scene, stood_on


def test_light_does_not_depend_on_who_is_there() -> None:
    assert light_of(scene()).distance(light_of(stood_on(scene()))) < 0.01
    assert light_of(scene()).distance(light_of(lit(scene(), 0.5))) > 0.5
    assert light_of(scene()).distance(light_of(infrared(scene()))) == float("inf")


def textured(seed: int) -> Image:
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 60, (180, 240, 3))
    return np.clip(120 + cv2.GaussianBlur(noise, (0, 0), 2) * 3, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("gain, offset", [(0.5, 0), (1.0, 30), (0.4, 90)])
def test_a_gain_and_an_offset_leave_the_structure(gain: float, offset: float) -> None:
    other = np.clip(gain * textured(1) + offset, 0, 255).astype(np.uint8)
    assert same_structure(textured(1), other, 0.8).mean() > 0.95


def test_something_else_and_what_is_plain_have_another_structure() -> None:
    assert same_structure(textured(1), textured(2), 0.8).mean() < 0.05
    plain = np.full((180, 240, 3), 120, np.uint8)
    noisy = np.clip(plain + np.random.default_rng(0).normal(0, 2, plain.shape), 0, 255)
    assert not same_structure(plain, plain, 0.8).any()
    assert same_structure(noisy.astype(np.uint8), plain, 0.8).mean() < 0.05


def test_another_colour_of_the_same_brightness_is_something_else() -> None:
    """Beside a post that dominates everything around it."""
    bg = np.full((180, 240, 3), 140, np.uint8)
    bg[:, 116:124] = 20
    image = bg.copy()
    image[60:120, 104:116] = (190, 122, 151)  # as bright as the wall
    assert same_structure(bg, bg, 0.8)[60:120, 112:115].all()
    assert not same_structure(image, bg, 0.8)[66:114, 112:115].any()
