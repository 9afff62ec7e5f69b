"""Areas of a background that somebody has learned anew: to paint out a ghost, at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edge.samples.median import median_where
from edge.samples.sample import Image
from edge.scene.background import Background

FRAMES, EVERY_S = 9, 0.2
"""Frames whose median an area becomes, and the time between two of them: who passes is left out."""
MOST = 20
"""Areas that can be taken back."""

Area = tuple[int, int, int, int]
"""Left, top, width and height in pixels of the frame."""


@dataclass(frozen=True)
class _Former:
    """What an area was before."""

    place: tuple[slice, slice]
    image: Image
    confidence: npt.NDArray[np.uint8]


class Repaint:
    """Learns areas of one background anew, and takes that back.

    `ask` and `undo` may be called from any thread; what they ask for is done in `update`.
    """

    def __init__(self) -> None:
        self._asked: deque[Area | None] = deque()
        self._images: list[Image] = []
        self._last = float("-inf")
        self._former: deque[_Former] = deque(maxlen=MOST)

    @property
    def busy(self) -> bool:
        """Whether something was asked for that is not done yet."""
        return bool(self._asked)

    @property
    def undoable(self) -> int:
        """How many areas can be taken back."""
        return len(self._former)

    def ask(self, area: Area) -> None:
        """Learn an area, at least one pixel of the frame, anew from the next frames."""
        self._asked.append(area)

    def undo(self) -> None:
        """Take back the last area that was learned; nothing where there is none."""
        self._asked.append(None)

    def forget(self) -> None:
        """Take nothing back from here on, and gather anew: the background is another one."""
        self._former.clear()
        self._images.clear()

    def update(
        self, background: Background, image: Callable[[], Image], at: float
    ) -> Background | None:
        """Do the next step of what was asked for.

        Args:
            background: in use.
            image: gives the frame, registered to it.
            at: time of the frame in seconds.

        Returns:
            The background to be used from now on; None as long as it stays as it is.
        """
        if not self._asked:
            return None
        area = self._asked[0]
        if area is None:
            self._asked.popleft()
            return self._taken_back(background)
        if 0 <= at - self._last < EVERY_S:
            return None
        self._last = at
        left, top, wide, tall = area
        place = np.s_[top : top + tall, left : left + wide]
        self._images.append(image()[place].copy())
        if len(self._images) < FRAMES:
            return None
        stack = np.stack(self._images)
        self._images = []
        self._asked.popleft()
        self._former.append(
            _Former(place, background.image[place].copy(), background.confidence[place].copy())
        )
        learned = median_where(stack, np.ones(stack.shape[:3], np.bool_))
        return _with(background, place, learned, np.full(stack.shape[1:3], 255, np.uint8))

    def _taken_back(self, background: Background) -> Background | None:
        if not self._former:
            return None
        former = self._former.pop()
        return _with(background, former.place, former.image, former.confidence)


def _with(
    background: Background,
    place: tuple[slice, slice],
    image: Image,
    confidence: npt.NDArray[np.uint8],
) -> Background:
    """A copy of a background with another image and confidence in one place."""
    whole, sure = background.image.copy(), background.confidence.copy()
    whole[place], sure[place] = image, confidence
    return replace(background, image=whole, confidence=sure)
