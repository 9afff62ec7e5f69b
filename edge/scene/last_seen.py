"""How places that something hides looked when they were last seen, and would look now."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.samples.sample import Image
from edge.scene.relight import relit

MOST = 4
"""Looks that are held, an image of the scene each. Beyond that the one of the fewest pixels is
given up, and their present guess is taken on."""
Bools = npt.NDArray[np.bool_]


@dataclass(eq=False)
class _Look:
    """The scene at some time, which of it was a guess then, and what has been hidden since."""

    image: Image
    guessed: Bools
    hidden: Bools


class LastSeen:
    """What is hidden, as it looked when it was last seen.

    A guess is made of it and the light of today, never of an earlier guess: errors do not add up.
    """

    def __init__(self) -> None:
        self._looks: list[_Look] = []

    def hide(self, hidden: Bools, image: Image, guessed: Bools) -> None:
        """Note what is hidden now.

        Args:
            hidden: bool [H, W]; what was hidden before and is not in it was seen.
            image: uint8 [H, W, 3] BGR, the background until now.
            guessed: bool [H, W], which pixels of that were a guess.
        """
        new = hidden.copy()
        for look in self._looks:
            look.hidden = look.hidden & hidden
            new &= ~look.hidden
        self._looks = [look for look in self._looks if look.hidden.any()]
        if not new.any():
            return
        if len(self._looks) == MOST:
            least = min(self._looks, key=lambda look: int(look.hidden.sum()))
            self._looks.remove(least)
            new |= least.hidden
        self._looks.append(_Look(image, guessed & ~new, new))

    def replace(self, hidden: Bools, image: Image, guessed: Bools) -> None:
        """Note a look of what is hidden that tells more, as `hide` takes it."""
        known = hidden & ~guessed
        for look in self._looks:
            look.hidden = look.hidden & ~known
        self._looks = [look for look in self._looks if look.hidden.any()]
        self._looks = [*self._looks[: MOST - 1], _Look(image, guessed, known)]

    def relit(self, image: Image, lit: Bools) -> Image:
        """An image with what is hidden as it would look in its light.

        Args:
            image: uint8 [H, W, 3] BGR.
            lit: bool [H, W], where it shows the scene.
        """
        made: Image = image.copy()
        for look in self._looks:
            guess = relit(look.image, image, look.hidden, lit & ~look.guessed)
            made[look.hidden] = guess[look.hidden]
        return made
