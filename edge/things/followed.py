"""One thing that a tracker follows: its box, its foot, its way, and whether it stands."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Protocol

from edge.things.boxes import Box, around
from edge.things.motion import Motion
from edge.things.parting import Parting
from edge.things.sighting import Sighting
from edge.things.thing import Thing

Point = tuple[float, float]

NOISE, NOISE_M = 0.05, 0.15
"""Of a sighting: in heights of the box, and in metres on the ground."""
USUAL = (0.75, 1.35)
"""Ratios of a sighting's width or height to the box's that are a change of its size; others are a
part that is missing, or something else that joined."""
SIZE_S, ODD_SIZE_S = 0.4, 1.5
"""Seconds in which a box takes the size of its sightings, and its foot their foot; slowly where the
size is unusual."""
ENTERS_S = 1.0
"""Seconds in which something new comes into the frame, and may grow as fast as it likes."""
JUMP, JUMP_S = 0.12, 1.5
"""Heights that a box follows at once, and per second: a mask that flickers moves it by no more."""
REMEMBER_S = 1.0
"""Seconds for which a foot that is not seen is believed to stay where it is in its box."""
STILL_S, STILL, STILL_M = 2.0, 0.2, 0.4
"""Seconds for which something stays within so many heights of its box, or metres on the ground, to
be stationary."""


class Places(Protocol):
    """What knows the metres on the ground (edge.things.metres)."""

    def position(self, foot: Point, ground_depth: float | None) -> Point | None:
        """Metres to the right and away, of a foot in pixels of the frame."""


@dataclass(eq=False)
class Followed:
    """A thing that is followed; its box is `wide` and `tall` around `centre`.

    Attributes:
        number: its identity.
        seen: how it was last seen.
        thing: it as it was last seen, with its smoothed box and foot.
        centre: of its box, in pixels of the frame.
        area: share of the frame, smoothed.
        missed: updates since it was last seen.
        sightings: how often it was seen.
        origin: the track that was seen where it came from, if any.
        parting: its parts, as long as they are apart.
        beside: how often it was seen just above or below another track, by that one's number.
        on_ground: its way in metres on the ground, where that is known.
        position: metres to the right and away, when it was last seen; None without a foot.
    """

    number: int
    seen: Sighting
    centre: Motion
    wide: float
    tall: float
    area: float
    first_seen: float
    last_seen: float
    thing: Thing
    places: Places | None
    missed: int = 0
    sightings: int = 1
    confirmed: bool = False
    origin: int | None = None
    parting: Parting = field(default_factory=Parting)
    beside: dict[int, int] = field(default_factory=dict)
    on_ground: Motion | None = None
    position: Point | None = None
    _foot: Point | None = None  # shares of width and height from the middle of the lower side
    _foot_seen: float = -math.inf
    _ground_depth: float | None = None
    _anchor: Point = (0.0, 0.0)
    _anchored: float = 0.0

    @property
    def box(self) -> Box:
        """Left, top, right and bottom in pixels of the frame."""
        x, y = self.centre.x, self.centre.y
        return x - self.wide / 2, y - self.tall / 2, x + self.wide / 2, y + self.tall / 2

    def predict(self, seconds: float) -> None:
        """Go on for some time."""
        self.centre.predict(seconds, not self.missed)
        if self.on_ground is not None:
            self.on_ground.predict(seconds, not self.missed)
        self.missed += 1

    def see(self, seen: Sighting, time_s: float, seconds: float, shared: bool) -> None:
        """Take a sighting.

        Args:
            seen: the sighting.
            time_s: when.
            seconds: since the last update.
            shared: whether other tracks are hidden in it; then it may be wider than this one is.
        """
        box = self.box
        dx, wide = _step(seen.box[0] - box[0], seen.box[2] - box[2], self.wide)
        dy, tall = _step(seen.box[1] - box[1], seen.box[3] - box[3], self.tall)
        usual = _usual(wide / self.wide) and _usual(tall / self.tall)
        if shared and not (usual and wide <= self.wide):
            self.keep_inside(seen.box)
            self._keep_foot(seen.thing, time_s)
        else:
            self.centre.update(dx, dy, JUMP + JUMP_S * seconds)
            enters = time_s - self.first_seen < ENTERS_S and wide * tall > self.wide * self.tall
            slowness = SIZE_S if usual or enters else ODD_SIZE_S
            rate = 1 - math.exp(-(time_s - self.last_seen) / slowness)
            # Two that part must not make their box wider until both are lost in it.
            if not (seen.parts and wide > self.wide):
                self.wide += rate * (wide - self.wide)
            self.tall += rate * (tall - self.tall)
            self.area += rate * (seen.thing.area - self.area)
            self.centre.scale = self.tall
            self._see_foot(seen.thing, time_s, slowness)
        self.seen, self.last_seen, self.missed = seen, time_s, 0
        self.sightings += 1
        self._go(time_s)
        self._show(time_s)

    def include(self, part: Followed) -> None:
        """Take something that turned out to be a part of it."""
        left, top, right, bottom = around([self.box, part.box])
        self.centre.x, self.centre.y = (left + right) / 2, (top + bottom) / 2
        self.wide, self.tall, self.area = right - left, bottom - top, self.area + part.area
        self.centre.scale = self.tall

    def become(self, part: Sighting) -> None:
        """Be only a part of what it was seen as, from here on."""
        left, top, right, bottom = part.box
        self.centre.x, self.centre.y = (left + right) / 2, (top + bottom) / 2
        self.wide, self.tall, self.area = right - left, bottom - top, part.thing.area
        self.centre.scale, self.seen, self._foot = self.tall, part, None
        self._see_foot(part.thing, self.last_seen, SIZE_S)
        self._show(self.last_seen)

    def hide(self, inside: Sighting, time_s: float, seen: bool) -> None:
        """Go on inside the thing that hides it; `seen` where that is large enough for both."""
        self.keep_inside(inside.box)
        if seen:
            self.last_seen, self.missed = time_s, 0
            self._keep_foot(inside.thing, time_s)
        self._go(time_s)
        self._show(time_s)

    def shrink(self, share: float, seconds: float) -> None:
        """Take part in the change of a thing that several share: they walk away."""
        rate = 1 - math.exp(-seconds / ODD_SIZE_S)
        less = 1 + rate * (min(share, 1.0) - 1)
        self.area *= less
        bottom = self.box[3]
        self.wide, self.tall = self.wide * math.sqrt(less), self.tall * math.sqrt(less)
        self.centre.y, self.centre.scale = bottom - self.tall / 2, self.tall

    def keep_inside(self, box: Box) -> None:
        """Move the box into another as far as it fits."""
        self.centre.x = _clamped(self.centre.x, self.wide, box[0], box[2])
        self.centre.y = _clamped(self.centre.y, self.tall, box[1], box[3])

    def foot(self, time_s: float) -> Point | None:
        """Where it stands, in pixels of the frame; None where that was not seen for long."""
        if self._foot is None or time_s - self._foot_seen > REMEMBER_S:
            return None
        along, down = self._foot
        return self.centre.x + along * self.wide, self.box[3] + down * self.tall

    def speed(self) -> float:
        """Metres per second where its place on the ground is known, else heights per second."""
        if self.on_ground is not None:
            return self.on_ground.speed
        return self.centre.speed / self.tall

    def stationary_since(self, time_s: float) -> float | None:
        """When it came to stand."""
        return self._anchored if time_s - self._anchored >= STILL_S else None

    def _show(self, time_s: float) -> None:
        """Note it as it is seen now, with its smoothed box and foot."""
        left, top, right, bottom = self.box
        foot = self.foot(time_s)
        self.thing = replace(
            self.seen.thing,
            box=(round(left), round(top), round(right - left), round(bottom - top)),
            foot=foot,
            ground_depth=None if foot is None else self._ground_depth,
        )
        self.position = None
        if self.on_ground is not None and foot is not None:
            self.position = self.on_ground.x, self.on_ground.y

    def _keep_foot(self, thing: Thing, time_s: float) -> None:
        """Have a foot for as long as the thing that it shares with others has one."""
        if thing.foot is not None:
            self._foot_seen, self._ground_depth = time_s, thing.ground_depth

    def _see_foot(self, thing: Thing, time_s: float, slowness: float) -> None:
        if thing.foot is None:
            return
        gap = time_s - self._foot_seen
        along = (thing.foot[0] - self.centre.x) / self.wide
        down = (thing.foot[1] - self.box[3]) / self.tall
        if self._foot is not None and gap < REMEMBER_S:
            rate = 1 - math.exp(-gap / slowness)
            along = self._foot[0] + rate * (along - self._foot[0])
            down = self._foot[1] + rate * (down - self._foot[1])
        self._foot, self._foot_seen, self._ground_depth = (along, down), time_s, thing.ground_depth

    def _go(self, time_s: float) -> None:
        """Follow it on the ground, and note where it stays."""
        foot = self.foot(time_s)
        place = None
        if self.places is not None and foot is not None:
            place = self.places.position(foot, self._ground_depth)
        at, reach = (self.centre.x, self.centre.y), STILL * self.tall
        if place is not None:
            if self.on_ground is None:
                self.on_ground = Motion(*place, 1.0, NOISE_M)
                self._anchor = place
            else:
                on = self.on_ground
                on.update(place[0] - on.x, place[1] - on.y, 1.0)
        if self.on_ground is not None:
            at, reach = (self.on_ground.x, self.on_ground.y), STILL_M
        if math.dist(at, self._anchor) > reach:
            self._anchor, self._anchored = at, time_s


def begin(number: int, seen: Sighting, time_s: float, places: Places | None) -> Followed:
    """Begin to follow something."""
    left, top, right, bottom = seen.box
    wide, tall = right - left, bottom - top
    centre = Motion((left + right) / 2, (top + bottom) / 2, tall, NOISE)
    new = Followed(
        number, seen, centre, wide, tall, seen.thing.area, time_s, time_s, seen.thing, places
    )
    new._anchor, new._anchored = (centre.x, centre.y), time_s
    new._see_foot(seen.thing, time_s, SIZE_S)
    new._go(time_s)
    new._show(time_s)
    return new


def _clamped(middle: float, size: float, low: float, high: float) -> float:
    half = min(size, high - low) / 2
    return min(max(middle, low + half), high - half)


def _usual(ratio: float) -> bool:
    return USUAL[0] <= ratio <= USUAL[1]


def _step(low: float, high: float, size: float) -> tuple[float, float]:
    """How far the middle moved and what the size is now, from the moves of both sides.

    Where the size is unusual, a part is missing on one side or something joined on it: the other
    side moved as the thing did.
    """
    now = size + high - low
    if _usual(now / size):
        return (low + high) / 2, now
    return min(low, high, key=abs), now
