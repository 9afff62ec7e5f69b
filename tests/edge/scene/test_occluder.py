"""What hides a guess: whether it has left, and who stands there then."""

from __future__ import annotations

import numpy as np

from edge.scene.light import same_structure
from edge.scene.occluder import HOLD_S, Occluder, shows
from tests.edge.scene.test_light import textured

BOX = (60, 50, 90, 60)
PLACE = np.s_[45:115, 55:155]
INSIDE = np.s_[50:110, 60:150]


def hidden() -> np.ndarray:
    where = np.zeros((180, 240), np.bool_)
    where[PLACE] = True
    return where


def test_only_what_shows_the_guess_is_learned_when_it_has_left() -> None:
    scene, car = textured(1), textured(1)
    car[INSIDE] = textured(2)[INSIDE]
    left = scene.copy()
    left[60:110, 70:90] = 20  # somebody who stood behind it
    occluder = Occluder(car, BOX, PLACE, hidden())
    same = [same_structure(image, scene, 0.8) for image in (car, left)]
    assert not occluder.learnable(car, same[0], 0.0).any() and occluder.stands
    assert not occluder.learnable(left, same[1], 1.0).any()  # it may be passing by
    learned = occluder.learnable(left, same[1], 1.0 + HOLD_S)
    assert not occluder.stands
    assert learned[50:110, 100:150].mean() > 0.9
    assert not learned[62:108, 72:88].any() and not learned[~hidden()].any()
    assert not occluder.learnable(car, same[0], 9.0).any()


def test_half_of_it_has_not_left() -> None:
    scene, half = textured(1), textured(1)
    half[50:110, 60:115] = textured(2)[50:110, 60:115]
    assert not shows(same_structure(half, scene, 0.8), hidden(), BOX)
    assert shows(same_structure(scene, scene, 0.8), hidden(), BOX)
    assert not shows(same_structure(scene, scene, 0.8), ~hidden(), BOX)  # nothing is hidden
    assert not shows(same_structure(scene, scene, 0.8), hidden(), (-30, -30, 10, 10))
