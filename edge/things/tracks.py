"""Tracks: which thing of a frame is which thing of the frames before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.things import boxes
from edge.things.assign import assign
from edge.things.boxes import Box, Floats
from edge.things.followed import Followed, Places, begin
from edge.things.parting import Parting
from edge.things.sighting import Sighting, sighting, union
from edge.things.thing import Thing

SIGHTINGS, CONFIRM_S = 3, 0.25
"""Sightings, and seconds from the first to the last of them, that confirm a track."""
PATIENCE_S, UNCONFIRMED_PATIENCE_S = 2.0, 0.4
"""Seconds without a sighting after which a track ends; two updates at least."""
NEAR, FAR = 0.6, 2.5
"""Heights within which a thing may be that of a track: at least, and where its motion is unsure."""
LONG_GAP_S = 3.0
"""Seconds without a frame after which only what is still in its place is the same."""
SIZES = 6.0
"""Ratio of the areas of two boxes that are never the same thing."""
SIZE_COSTS, DEPTH_COSTS = 0.25, 0.25
"""Cost of a ratio e of two areas or depths, where 1 is that of the largest distance."""
INSIDE, RIM = 0.7, 0.1
"""Share of a part that lies in its track's box, with a rim around that."""
HIDES = 0.6
"""Share of a track's box in another's thing from which it is hidden in it."""
SUPPORT = 0.7
"""Share of the areas of tracks that merged which their one thing has if all are seen in it."""
REJOIN_S = 2.0
"""Seconds within which a part that came off is the same thing again when it rejoins."""
STACKED, GAP, ALIKE = 0.6, 0.1, 0.25
"""Parts of one thing: share of the width that they have in common, gap as a share of both heights,
and logarithm of the ratio of their depths."""


@dataclass(frozen=True)
class Track:
    """A thing over time.

    Attributes:
        number: its identity, from 1; never used again in a run.
        thing: as it was last seen; box and foot are smoothed.
        first_seen: when it was first seen, in seconds of the source's clock.
        last_seen: when it was last seen.
        confirmed: whether it was seen often enough to be told to anybody.
        speed: heights of its box per second; metres per second where the ground is calibrated.
        position: metres on the ground to the right of the camera and away from it; None where the
            ground is not calibrated or the foot is unknown.
        stationary_since: when it came to stand; None while it moves.
    """

    number: int
    thing: Thing
    first_seen: float
    last_seen: float
    confirmed: bool
    speed: float
    position: tuple[float, float] | None
    stationary_since: float | None


class Tracker:
    """Follows the things of one camera.

    Things are assigned to tracks by place, size and depth; all is predicted in the time of the
    source, so that any frame rate and gaps work. Parts of a broken thing are one thing while they
    lie in the box of their track. Tracks whose things merge go on inside the common thing, each
    with its own size, and part again when it does.

    Args:
        places: the metres on the ground of the scene (edge.things.metres), or None.

    Attributes:
        ended: the tracks that ended in the last update, as they were last.
    """

    def __init__(self, places: Places | None = None) -> None:
        self.ended: list[Track] = []
        self._places = places
        self._living: list[Followed] = []
        self._numbers = 0
        self._time: float | None = None

    def calibrate(self, places: Places) -> None:
        """Know other metres on the ground from now on; all things stay who they are."""
        self._places = places
        for followed in self._living:
            followed.places, followed.on_ground, followed.position = places, None, None

    def update(self, things: Sequence[Thing], time_s: float) -> list[Track]:
        """Take the things of the next frame.

        Args:
            things: of one frame, in any order.
            time_s: when it was taken, in seconds of the source's clock. Where the clock goes back,
                as that of a video that begins again, all tracks end.

        Returns:
            The tracks that live, by number; also those that are not seen for a moment.
        """
        self.ended = []
        seconds = 0.0 if self._time is None else time_s - self._time
        if seconds < 0:
            self._end(list(self._living))
            seconds = 0.0
        self._time = time_s
        before = [(each.number, each.seen.box) for each in self._living]
        for followed in self._living:
            followed.predict(seconds)
        seen = self._joined(things)
        owners = self._matched(seen, seconds)
        hidden = self._hidden(seen, owners)
        for index, owner in owners.items():
            owner.see(seen[index], time_s, seconds, index in hidden)
            parts = () if index in hidden else seen[index].parts
            if owner.parting.update(parts, time_s):
                self._part(owner, parts, time_s)
        for index, inside in hidden.items():
            all_ = [*inside, *(owners[i] for i in (index,) if i in owners)]
            share = seen[index].thing.area / sum(each.area for each in all_)
            for followed in all_ if share >= SUPPORT else ():
                followed.shrink(share, seconds)
            for followed in inside:
                followed.hide(seen[index], time_s, share >= SUPPORT)
        new = [each for i, each in enumerate(seen) if i not in owners and i not in hidden]
        self._begin(new, before, time_s)
        self._note_beside()
        self._confirm()
        self._end([each for each in self._living if self._is_over(each)])
        return [self._track(each) for each in self._living]

    def _joined(self, things: Sequence[Thing]) -> list[Sighting]:
        """The things, with the parts of one track's thing joined."""
        seen = [sighting(thing) for thing in things]
        if len(seen) < 2 or not self._living:
            return seen
        tracks = boxes.stack(each.box for each in self._living)
        parts = boxes.stack(each.box for each in seen)
        areas = boxes.areas(parts)[None]
        inside = boxes.shared(boxes.grown(tracks, RIM), parts) / areas
        both = boxes.shared(tracks, parts)
        whole = both / (boxes.areas(tracks)[:, None] + areas - both)
        of: dict[int, list[int]] = {}
        for index, best in enumerate(inside.argmax(0).tolist()):
            # What is a track of its own is no part of another.
            rival = whole[:, index].max(initial=0.0, where=np.arange(len(tracks)) != best)
            if inside[best, index] >= INSIDE and rival < max(0.5, float(whole[best, index])):
                of.setdefault(best, []).append(index)
        for best, indices in of.items():
            if len(indices) > 1:
                one = union([seen[index] for index in indices])
                if boxes.iou(self._living[best].box, one.box) > whole[best, indices].max():
                    for index in indices:
                        seen[index] = one
        return list(dict.fromkeys(seen))

    def _matched(self, seen: Sequence[Sighting], seconds: float) -> dict[int, Followed]:
        """The tracks that are seen, by the index of their sighting; confirmed ones choose first."""
        owners: dict[int, Followed] = {}
        for confirmed in (True, False):
            tracks = [each for each in self._living if each.confirmed == confirmed]
            free = [index for index in range(len(seen)) if index not in owners]
            if tracks and free:
                for row, column in assign(_costs(tracks, [seen[i] for i in free], seconds)):
                    owners[free[column]] = tracks[row]
        return owners

    def _hidden(
        self, seen: Sequence[Sighting], owners: dict[int, Followed]
    ) -> dict[int, list[Followed]]:
        """The confirmed tracks that are hidden in the thing of another, by its index."""
        hidden: dict[int, list[Followed]] = {}
        taken = {owner.number for owner in owners.values()}
        lost = [each for each in self._living if each.confirmed and each.number not in taken]
        if not lost or not seen:
            return hidden
        own = boxes.stack(each.box for each in lost)
        shares = (
            boxes.shared(own, boxes.stack(each.box for each in seen)) / boxes.areas(own)[:, None]
        )
        for followed, row in zip(lost, shares, strict=True):
            index = int(row.argmax())
            owner = owners.get(index)
            if row[index] < HIDES:
                continue
            if owner is not None and self._came_off(followed, owner):
                self._end([followed])
            elif owner is not None and self._came_off(owner, followed):
                self._end([owner])
                owners[index] = followed
            else:
                hidden.setdefault(index, []).append(followed)
        # Nobody is seen in a thing: the largest of those that were there until now has grown.
        for index in [each for each in hidden if each not in owners]:
            there = [each for each in hidden[index] if each.missed == 1]
            if there:
                owners[index] = max(there, key=lambda each: each.area)
                hidden[index].remove(owners[index])
                if not hidden[index]:
                    del hidden[index]
        return hidden

    def _came_off(self, part: Followed, whole: Followed) -> bool:
        """Whether something came off another a moment ago, and is back in it."""
        assert self._time is not None
        return part.origin == whole.number and self._time - part.first_seen < REJOIN_S

    def _begin(
        self, new: Sequence[Sighting], before: Sequence[tuple[int, Box]], time_s: float
    ) -> None:
        """Follow what is new, and note which track was seen there before."""
        if not new:
            return
        own = boxes.stack(each.box for each in new)
        rims = boxes.grown(boxes.stack(box for _, box in before), RIM)
        inside = boxes.shared(rims, own) / boxes.areas(own)[None]
        for column, seen in enumerate(new):
            self._numbers += 1
            self._living.append(begin(self._numbers, seen, time_s, self._places))
            if before and inside[:, column].max() >= 0.5:
                self._living[-1].origin = before[int(inside[:, column].argmax())][0]

    def _part(self, whole: Followed, parts: Sequence[Sighting], time_s: float) -> None:
        """Follow each part of a thing that stayed apart; the largest is the one it was."""
        parting, whole.parting = whole.parting, Parting()
        largest = max(range(len(parts)), key=lambda index: parts[index].thing.area)
        for index, (first, now) in enumerate(zip(parting.first, parts, strict=True)):
            if index == largest:
                whole.become(now)
                continue
            self._numbers += 1
            new = begin(self._numbers, first, parting.since, self._places)
            passed = time_s - parting.since
            new.predict(passed)
            new.see(now, time_s, passed, False)
            new.sightings, new.confirmed = parting.sightings, whole.confirmed
            self._living.append(new)

    def _note_beside(self) -> None:
        """Count just above or below which older tracks the unconfirmed ones are."""
        there = [each for each in self._living if not each.missed]
        if all(each.confirmed for each in there):
            return
        own = boxes.stack(each.seen.box for each in there)
        depths = _logs([each.seen.thing for each in there])
        for index, new in enumerate(there):
            if not new.confirmed and index:
                width, gap = boxes.stacked(new.seen.box, own[:index])
                alike = ~(np.abs(depths[:index] - depths[index]) >= ALIKE)
                for other in np.flatnonzero((width >= STACKED) & (gap <= GAP) & alike).tolist():
                    number = there[other].number
                    new.beside[number] = new.beside.get(number, 0) + 1

    def _confirm(self) -> None:
        """Confirm what was seen often enough; what was always beside another is a part of it."""
        for new in list(self._living):
            age = new.last_seen - new.first_seen
            if new.confirmed or new.sightings < SIGHTINGS or age < CONFIRM_S:
                continue
            whole = next(
                (
                    each
                    for each in self._living
                    if new.beside.get(each.number, 0) >= new.sightings and each.number < new.number
                ),
                None,
            )
            if whole is None:
                new.confirmed = True
                continue
            whole.include(new)
            self._living.remove(new)

    def _is_over(self, followed: Followed) -> bool:
        assert self._time is not None
        patience = PATIENCE_S if followed.confirmed else UNCONFIRMED_PATIENCE_S
        return followed.missed >= 2 and self._time - followed.last_seen > patience

    def _end(self, over: Sequence[Followed]) -> None:
        self.ended += [self._track(each) for each in over]
        self._living = [each for each in self._living if each not in over]

    def _track(self, followed: Followed) -> Track:
        assert self._time is not None
        return Track(
            number=followed.number,
            thing=followed.thing,
            first_seen=followed.first_seen,
            last_seen=followed.last_seen,
            confirmed=followed.confirmed,
            speed=followed.speed(),
            position=followed.position,
            stationary_since=followed.stationary_since(self._time),
        )


def _costs(tracks: Sequence[Followed], seen: Sequence[Sighting], seconds: float) -> Floats:
    """The cost of each track for each sighting; infinite where they cannot be the same."""
    own = boxes.stack(each.box for each in tracks)
    theirs = boxes.stack(each.box for each in seen)
    gaps = (own[:, None, :2] + own[:, None, 2:] - theirs[None, :, :2] - theirs[None, :, 2:]) / 2
    heights = np.array([each.tall for each in tracks])[:, None]
    spreads = np.array([3 * each.centre.spread for each in tracks])[:, None]
    reach = spreads.clip(NEAR, FAR) if seconds < LONG_GAP_S else np.full_like(spreads, NEAR)
    distance = np.hypot(gaps[..., 0], gaps[..., 1]) / heights / reach
    sizes = np.abs(np.log(boxes.areas(own)[:, None] / boxes.areas(theirs)[None]))
    depths = np.abs(_logs([t.seen.thing for t in tracks])[:, None] - _logs([s.thing for s in seen]))
    cost = distance + SIZE_COSTS * sizes + DEPTH_COSTS * np.nan_to_num(depths)
    # What is left of somebody who leaves the frame, or goes behind something, is still them.
    rest = boxes.shared(boxes.grown(own, RIM), theirs) >= INSIDE * boxes.areas(theirs)
    return np.where((distance <= 1) & (sizes <= math.log(SIZES)) | rest, cost, np.inf)


def _logs(things: Sequence[Thing]) -> Floats:
    """Logarithms of depths; NaN where there is none."""
    depths = [np.nan if thing.depth is None else max(thing.depth, 0.02) for thing in things]
    return np.log(np.array(depths, np.float64))
