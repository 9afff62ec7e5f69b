"""`left_behind` and `taken_away`: something lies where nothing was, or is gone from where it was.

Both are seen as a thing that does not move. What is gone is told by its outline, which is an edge
in the background and none in the frame. What lies there looks the same all the time, which nobody
who stands does, and it has not walked there: it came out of another thing, or shrank from one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.events.look import Fact, Look
from edge.events.standing import Travels
from edge.samples.sample import Image
from edge.scene.outlines import ghosts
from edge.things.thing import Thing
from edge.things.tracks import Track

LEFT_S = 30.0
"""Seconds after which what lies there was left behind, and what is gone was taken away."""
EVERY_S = 0.5
"""Seconds between two looks at a thing that does not move."""
SAME, SAME_SHARE = 18, 0.85
"""Grey levels within which a pixel looks the same, and share of them in a thing that does."""
STEADY = 0.8
"""Share of the looks in which something that lies there looks the same: people walk before it."""
OTHERS = 4
"""Looks in a row at something else after which what was seen first was somebody before it."""
AROUND = 8
"""Pixels around a thing that its outline needs."""
GONE = 0.5
"""Share of a thing that must be a ghost."""


@dataclass
class _Still:
    """A thing that does not move: how it looked first, and how often it looked the same."""

    thing: Thing
    first: Image
    inside: npt.NDArray[np.bool_]
    began: float
    last: float
    looks: int = 1
    same: int = 1
    others: int = 0


class Left:
    """Things that were left behind or taken away.

    Args:
        travels: kept up to date by somebody else.
        left_s: seconds after which it is told.
    """

    def __init__(self, travels: Travels, left_s: float = LEFT_S) -> None:
        self._travels, self.left_s = travels, left_s
        self._stills: dict[int, _Still] = {}
        self._told: dict[int, str] = {}

    def facts(self, look: Look) -> Iterator[Fact]:
        """One fact for each thing that was left or taken."""
        everything = {**look.tracks, **look.gone}
        standing = {n: t for n, t in everything.items() if t.stationary_since is not None}
        self._stills = {n: still for n, still in self._stills.items() if n in standing}
        self._told = {n: kind for n, kind in self._told.items() if n in standing}
        for number, track in standing.items():
            since = track.stationary_since
            assert since is not None
            looked = self._look_at(look, track)
            if looked and number not in self._told and look.at - since >= self.left_s:
                kind = self._kind(look, track)
                if kind is not None:
                    self._told[number] = kind
            if number in self._told:
                yield Fact(self._told[number], track, since=since)

    def _look_at(self, look: Look, track: Track) -> bool:
        """Look at a thing that does not move, now and then; False: not now."""
        still = self._stills.get(track.number)
        if still is None or still.others >= OTHERS:
            inside = _inside(track.thing)
            if inside is not None:
                first = _crop(look.image, track.thing).copy()
                self._stills[track.number] = _Still(track.thing, first, inside, look.at, look.at)
            return True
        if look.at - still.last < EVERY_S:
            return False
        still.last = look.at
        still.looks += 1
        changed = cv2.absdiff(_crop(look.image, still.thing), still.first).max(2)
        if float((changed[still.inside] <= SAME).mean()) >= SAME_SHARE:
            still.same, still.others = still.same + 1, 0
        else:
            still.others += 1
        return True

    def _kind(self, look: Look, track: Track) -> str | None:
        if is_gone(look.image, look.bg, track.thing):
            return "taken_away"
        still = self._stills.get(track.number)
        if still is None or look.at - still.began < self.left_s or self._travels.went(track):
            return None
        if still.same < STEADY * still.looks:
            return None
        return "left_behind"


def is_gone(image: Image, bg: Image, thing: Thing) -> bool:
    """Whether a thing is what the background still shows and is there no more.

    Args:
        image, bg: uint8 [H, W, 3] BGR.
        thing: as it is in the image.
    """
    left, top, wide, tall = thing.box
    height, width = image.shape[:2]
    place = (
        slice(max(0, top - AROUND), min(height, top + tall + AROUND)),
        slice(max(0, left - AROUND), min(width, left + wide + AROUND)),
    )
    bg, image = bg[place], image[place]
    if min(bg.shape[:2]) < 2:
        return False
    plane = np.zeros(bg.shape[:2], np.uint8)
    origin = np.array([place[1].start, place[0].start], np.int32)
    cv2.fillPoly(plane, [thing.outline - origin], 1)
    near = cv2.dilate(plane, np.ones((5, 5), np.uint8)) > 0
    gone = ghosts(bg, image, near)
    return int(np.count_nonzero(gone & (plane > 0))) > GONE * int(np.count_nonzero(plane))


def _crop(image: Image, thing: Thing) -> Image:
    left, top, wide, tall = thing.box
    return image[max(0, top) : top + tall, max(0, left) : left + wide]


def _inside(thing: Thing) -> npt.NDArray[np.bool_] | None:
    """The pixels of a thing in its box; None where there are none."""
    left, top, wide, tall = thing.box
    plane = np.zeros((top + tall - max(0, top), left + wide - max(0, left)), np.uint8)
    if 0 in plane.shape:
        return None
    origin = np.array([max(0, left), max(0, top)], np.int32)
    cv2.fillPoly(plane, [thing.outline - origin], 1)
    return plane > 0 if plane.any() else None
