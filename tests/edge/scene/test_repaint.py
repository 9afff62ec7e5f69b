from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from edge.scene.background import Background, certain
from edge.scene.repaint import EVERY_S, FRAMES, MOST, Repaint

SCENE = np.full((40, 60, 3), 90, np.uint8)
GHOST = (10, 5, 20, 15)
"""Left, top, width, height."""
INSIDE = np.s_[5:20, 10:30]


def with_ghost() -> Background:
    image = SCENE.copy()
    image[INSIDE] = (20, 60, 240)
    return replace(certain(image), confidence=np.full(image.shape[:2], 40, np.uint8))


def run(repaint: Repaint, background: Background, images: list[np.ndarray]) -> list[Background]:
    """The backgrounds that frames, a little more than EVERY_S apart, lead to."""
    found = []
    for number, image in enumerate(images):
        new = repaint.update(background, partial(np.copy, image), number * 1.01 * EVERY_S)
        if new is not None:
            background = new
            found.append(new)
    return found


def test_a_ghost_is_painted_out_and_nothing_else() -> None:
    repaint, before = Repaint(), with_ghost()
    image = SCENE + np.uint8(30)  # the light is another one: outside, nothing is taken of it
    repaint.ask(GHOST)
    assert repaint.busy
    (after,) = run(repaint, before, [image] * 20)
    assert (after.image[INSIDE] == 120).all()
    assert (after.confidence[INSIDE] == 255).all()
    outside = np.ones(SCENE.shape[:2], bool)
    outside[INSIDE] = False
    assert (after.image[outside] == before.image[outside]).all()
    assert (after.confidence[outside] == 40).all()
    assert (before.image[INSIDE] == (20, 60, 240)).all()  # who holds the former one keeps it
    assert not repaint.busy


def test_who_passes_is_left_out() -> None:
    repaint = Repaint()
    repaint.ask(GHOST)
    images = [SCENE.copy() for _ in range(FRAMES)]
    for image in images[: FRAMES // 2]:
        image[INSIDE] = 255
    (after,) = run(repaint, with_ghost(), images)
    assert (after.image == SCENE).all()


def test_frames_of_one_moment_are_one(rate: int = 50) -> None:
    repaint, looked = Repaint(), 0

    def image() -> np.ndarray:
        nonlocal looked
        looked += 1
        return SCENE

    repaint.ask(GHOST)
    for number in range(int(rate * EVERY_S * (FRAMES - 1))):
        assert repaint.update(with_ghost(), image, number / rate) is None
    assert looked == FRAMES - 1


def test_each_area_is_taken_back_in_turn() -> None:
    repaint, before = Repaint(), with_ghost()
    white = [np.full_like(SCENE, 255)] * FRAMES
    repaint.ask(GHOST)
    repaint.ask((0, 0, 12, 7))  # a part of it is in the first one
    first, second = run(repaint, before, [*white, *white])
    assert repaint.undoable == 2
    repaint.undo()
    (back,) = run(repaint, second, white[:1])
    assert (back.image == first.image).all()
    repaint.undo()
    repaint.undo()  # one more than there are
    (back,) = run(repaint, back, white[:2])
    assert (back.image == before.image).all()
    assert (back.confidence == before.confidence).all()
    assert (repaint.undoable, repaint.busy) == (0, False)


def test_no_more_is_kept_than_can_be_taken_back() -> None:
    repaint, background = Repaint(), with_ghost()
    for _ in range(MOST + 3):
        repaint.ask((0, 0, 1, 1))
        (background,) = run(repaint, background, [SCENE] * FRAMES)
    assert repaint.undoable == MOST
    repaint.forget()
    repaint.undo()
    assert run(repaint, background, [SCENE]) == []
