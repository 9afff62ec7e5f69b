"""What is hidden for long, in light after light."""

from __future__ import annotations

import cv2
import numpy as np

from edge.scene.last_seen import LastSeen
from tests.edge.scene.test_light import textured
from tests.edge.scene.test_upkeep import INSIDE, SIZE, infrared, off, scene, stood_on

NOTHING = np.zeros(SIZE, np.bool_)


def inside() -> np.ndarray:
    where = NOTHING.copy()
    where[INSIDE] = True
    return where


def test_many_lights_leave_what_is_hidden_as_it_was() -> None:
    """A guess of a guess of a guess would be noise: 22 levels of it here."""
    hidden, seen = inside(), LastSeen()
    rng = np.random.default_rng(2)
    now = former = textured(1)[: SIZE[0], : SIZE[1]]
    for step in range(100):
        level = 0.8 + 0.2 * np.cos(0.4 * step)
        clouds = cv2.resize(rng.normal(0, 0.04, (6, 8)), SIZE[::-1])[..., None]
        bright = stood_on(former) * (level + clouds) + rng.normal(0, 2, (*SIZE, 1))
        seen.hide(hidden, now, NOTHING if step == 0 else hidden)
        now = seen.relit(np.clip(bright, 0, 255).astype(np.uint8), ~hidden)
    assert off(now[INSIDE], (former * level)[INSIDE]) < 10


def test_what_is_seen_again_is_forgotten() -> None:
    seen = LastSeen()
    seen.hide(inside(), scene(), NOTHING)
    seen.hide(NOTHING, stood_on(scene()), NOTHING)
    assert np.array_equal(seen.relit(stood_on(scene()), ~NOTHING), stood_on(scene()))


def test_a_guess_lights_nothing() -> None:
    """The other half of the scene was wrong when this place was hidden."""
    hidden, guessed = inside(), NOTHING.copy()
    guessed[:, 30:] = True
    wrong = scene()
    wrong[:, 30:] = 255
    seen = LastSeen()
    seen.hide(hidden, wrong, guessed)
    assert off(seen.relit(stood_on(scene()), ~hidden)[INSIDE], scene()[INSIDE]) < 1


def test_of_more_than_it_holds_the_present_guess_is_taken_on() -> None:
    seen, hidden = LastSeen(), NOTHING.copy()
    for column in range(8):
        hidden = hidden.copy()
        hidden[:, : 3 * (column + 1)] = True
        seen.hide(hidden, scene(), NOTHING)
    covered = np.where(hidden[..., None], np.uint8(0), scene())
    assert off(seen.relit(covered, ~hidden), scene()) < 1


def test_a_look_that_tells_more_is_taken_where_it_is_sure() -> None:
    """Infrared is known of a former night, but for a part that was a guess then."""
    hidden, guessed = inside(), NOTHING.copy()
    guessed[INSIDE[0], :25] = True
    seen, night = LastSeen(), infrared(scene())
    seen.hide(hidden, scene(), NOTHING)
    seen.replace(hidden, np.where(guessed[..., None], np.uint8(0), night), guessed)
    made = seen.relit(infrared(stood_on(scene())), ~hidden)
    assert off(made[hidden & ~guessed], night[hidden & ~guessed]) < 1
    assert made[hidden & guessed].min() > 20
