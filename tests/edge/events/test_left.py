"""Whether a thing is what the background still shows, in painted images."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.events.left import is_gone
from edge.things.thing import Thing

BOX = (40, 30, 20, 24)


def painted(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """A grey floor with boxes of another grey."""
    image = np.full((96, 128, 3), 120, np.uint8)
    for left, top, wide, tall in boxes:
        image[top : top + tall, left : left + wide] = 40
    return cv2.GaussianBlur(image, (0, 0), 0.7)


def thing(box: tuple[int, int, int, int]) -> Thing:
    left, top, wide, tall = box
    right, bottom = left + wide - 1, top + tall - 1
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return Thing(np.array(corners, np.int32), box, 0.04, None, None, None, 1.0)


def test_what_was_there_is_gone_and_what_is_new_is_not() -> None:
    there, empty = painted(BOX), painted()
    assert is_gone(empty, there, thing(BOX))
    assert not is_gone(there, empty, thing(BOX))
    assert not is_gone(there, there, thing(BOX))


@pytest.mark.parametrize("gap", [4, 5, 6])
@pytest.mark.parametrize("side", [-1, 1])
def test_somebody_who_stands_right_beside_does_not_matter(side: int, gap: int) -> None:
    left, top, wide, tall = BOX
    beside = (left + side * (wide + gap), top - 8, wide, tall + 16)
    assert is_gone(painted(beside), painted(BOX), thing(BOX))
