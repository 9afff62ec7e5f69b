"""What is covered, in the light around it."""

from __future__ import annotations

import cv2
import numpy as np

from edge.scene.relight import relit
from tests.edge.scene.test_upkeep import INSIDE, SIZE, lit, off, scene, stood_on


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


def test_large_images_are_lit_as_small_ones() -> None:
    """Of a size that is reduced, with an odd border of what is covered."""
    bg = np.asarray(cv2.resize(scene(), (901, 677), interpolation=cv2.INTER_NEAREST))
    covered = np.zeros(bg.shape[:2], np.bool_)
    covered[201:433, 299:503] = True
    made = relit(bg, np.where(covered[..., None], np.uint8(9), lit(bg, 0.5)), covered)
    assert off(made[covered], lit(bg, 0.5)[covered]) < 6
    assert np.array_equal(made[~covered], lit(bg, 0.5)[~covered])
