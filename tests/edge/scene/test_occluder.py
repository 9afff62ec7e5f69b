"""What hides a guess: whether it has left, and who stands there then."""

from __future__ import annotations

import numpy as np

from edge.scene.light import same_structure
from edge.scene.occluder import CONTRAST, HOLD_S, STILL_S, STILLS, Occluder, apart, shows
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
    occluder = Occluder(car, BOX, PLACE, hidden(), hidden())
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


def test_what_cannot_be_told_from_somebody_is_learned_when_nothing_moves_for_long() -> None:
    """Another light shows other structures; who stands there shifts their weight by a pixel."""
    rng = np.random.default_rng(4)
    ground = textured(3)

    def learned(person: bool) -> list[float]:
        occluder = Occluder(textured(2), BOX, PLACE, hidden(), hidden())
        times = []
        for at in np.arange(0, 200, 2.0):
            image = ground.copy()
            if person:
                image[60:110, (x := 70 + int(at) // 40 % 2) : x + 20] = 118
            noisy = np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)
            if occluder.learnable(noisy, ~hidden(), at).any():
                times.append(float(at))
        return times

    assert 2 * STILL_S < learned(False)[0] <= (STILL_S + 2) * STILLS
    assert not learned(True)


def test_a_guess_differs_from_what_stands_before_it() -> None:
    image = np.full((180, 240, 3), 50, np.uint8)
    guess = np.full((180, 240, 3), 52, np.uint8)
    guess[:, 120:] = 20
    made = apart(guess, image, hidden())
    assert (made[PLACE][:, :50] == 50 + CONTRAST).all()
    assert (made[PLACE][:, 75:] == 20).all() and (made[~hidden()] == guess[~hidden()]).all()
