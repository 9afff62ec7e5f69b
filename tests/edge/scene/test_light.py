"""Light: compared, put on what nobody saw in it, and looked through."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.samples.sample import Image
from edge.scene.light import light_of, relit, same_structure
from tests.edge.scene.test_upkeep import INSIDE, SIZE, infrared, lit, off, scene, stood_on


def test_light_does_not_depend_on_who_is_there() -> None:
    assert light_of(scene()).distance(light_of(stood_on(scene()))) < 0.01
    assert light_of(scene()).distance(light_of(lit(scene(), 0.5))) > 0.5
    assert light_of(scene()).distance(light_of(infrared(scene()))) == float("inf")


def test_relit_is_the_former_background_in_the_light_around() -> None:
    covered = np.zeros(SIZE, np.bool_)
    covered[INSIDE] = True
    made = relit(scene(), stood_on(lit(scene(), 0.5)), covered)
    assert off(made[INSIDE], lit(scene(), 0.5)[INSIDE]) < 6
    assert np.array_equal(made[~covered], lit(scene(), 0.5)[~covered])


def test_a_wall_and_the_ground_before_it_are_lit_each_in_its_way() -> None:
    """The covered place has both, and the ratios of its surroundings differ by three."""
    bg = np.full((120, 160, 3), 160, np.uint8)
    bg[60:] = 100
    image = bg.copy()
    image[:60], image[60:] = 140, 30
    covered = np.zeros(bg.shape[:2], np.bool_)
    covered[45:75, 60:100] = True
    made = relit(bg, np.where(covered[..., None], np.uint8(250), image), covered)
    assert off(made[45:58, 60:100], image[45:58, 60:100]) < 6
    assert off(made[62:75, 60:100], image[62:75, 60:100]) < 6


def test_the_same_light_again_and_again_changes_nothing() -> None:
    covered = np.zeros(SIZE, np.bool_)
    covered[INSIDE] = True
    made = scene()
    for _ in range(100):
        made = relit(made, scene(), covered)
    assert off(made, scene()) < 0.1


def test_many_lights_leave_what_is_covered_as_it_was() -> None:
    """Lit again and again by brightness, noise would become contrast: 22 levels of it here."""
    covered = np.zeros(SIZE, np.bool_)
    covered[INSIDE] = True
    rng = np.random.default_rng(2)
    now = former = textured(1)[: SIZE[0], : SIZE[1]]
    for step in range(300):
        level = 0.8 + 0.2 * np.cos(0.4 * step)
        clouds = cv2.resize(rng.normal(0, 0.04, (6, 8)), SIZE[::-1])[..., None]
        bright = former * (level + clouds) + rng.normal(0, 2, (*SIZE, 1))
        now = relit(now, np.clip(bright, 0, 255).astype(np.uint8), covered, bands=1)
    assert off(now[INSIDE], (former * level)[INSIDE]) < 10


def test_large_images_are_lit_as_small_ones() -> None:
    """Of a size that is reduced, with an odd border of what is covered."""
    bg = np.asarray(cv2.resize(scene(), (901, 677), interpolation=cv2.INTER_NEAREST))
    covered = np.zeros(bg.shape[:2], np.bool_)
    covered[201:433, 299:503] = True
    made = relit(bg, np.where(covered[..., None], np.uint8(9), lit(bg, 0.5)), covered)
    assert off(made[covered], lit(bg, 0.5)[covered]) < 6
    assert np.array_equal(made[~covered], lit(bg, 0.5)[~covered])


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
