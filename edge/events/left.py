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
from edge.things.followed import STILL_S
from edge.things.thing import Thing
from edge.things.tracks import Track

LEFT_S = 30.0
"""Seconds after which what lies there was left behind, and what is gone was taken away."""
EVERY_S = 0.5
"""Seconds between two looks at a thing that does not move."""
SAME, SAME_SHARE = 18, 0.85
"""Grey levels within which a pixel looks the same, and share of them in a thing that does. Colours
do not count: analogue cameras change those of sharp edges from frame to frame."""
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

    place: tuple[slice, slice]
    first: npt.NDArray[np.uint8]
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

    def taken(self) -> set[int]:
        """The tracks of what was told to be taken away."""
        return {number for number, kind in self._told.items() if kind == "taken_away"}

    def _look_at(self, look: Look, track: Track) -> bool:
        """Look at a thing that does not move, now and then; False: not now."""
        still = self._stills.get(track.number)
        if still is None or still.others >= OTHERS:
            place = _place(track.thing, look.image.shape)
            inside = _inside(track.thing, place)
            if inside.any():
                first = _grey(look.image[place])
                self._stills[track.number] = _Still(place, first, inside, look.at, look.at)
            return True
        if look.at - still.last < EVERY_S:
            return False
        still.last = look.at
        still.looks += 1
        changed = cv2.absdiff(_grey(look.image[still.place]), still.first)
        if float((changed[still.inside] <= SAME).mean()) >= SAME_SHARE:
            still.same, still.others = still.same + 1, 0
        else:
            still.others += 1
        return True

    def _kind(self, look: Look, track: Track) -> str | None:
        if is_gone(look.image, look.bg, track.thing):
            return "taken_away"
        still = self._stills.get(track.number)
        # A thing is looked at from when it is known to stand, which is STILL_S later.
        if still is None or look.at - still.began < self.left_s - STILL_S:
            return None
        if self._travels.went(track):
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
    place = _place(thing, image.shape, AROUND)
    bg, image = bg[place], image[place]
    if min(bg.shape[:2]) < 2:
        return False
    inside = _inside(thing, place)
    near = cv2.dilate(inside.view(np.uint8), np.ones((5, 5), np.uint8)) > 0
    gone = ghosts(bg, image, near)
    return int(np.count_nonzero(gone & inside)) > GONE * int(np.count_nonzero(inside))


def _grey(image: Image) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


def _place(thing: Thing, shape: tuple[int, ...], around: int = 0) -> tuple[slice, slice]:
    """The rows and columns of an image in a thing's box, which may reach beyond the image."""
    left, top, wide, tall = thing.box
    rows = (top - around, top + tall + around)
    columns = (left - around, left + wide + around)
    (y0, y1), (x0, x1) = (
        (min(max(low, 0), most), min(max(high, 0), most))
        for (low, high), most in zip((rows, columns), shape[:2], strict=True)
    )
    return slice(y0, y1), slice(x0, x1)


def _inside(thing: Thing, place: tuple[slice, slice]) -> npt.NDArray[np.bool_]:
    """The pixels of a place that lie in a thing's outline."""
    rows, columns = place
    plane = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
    if plane.size:
        origin = np.array([columns.start, rows.start], np.int32)
        cv2.fillPoly(plane, [thing.outline - origin], 1)
    return plane.view(np.bool_)
