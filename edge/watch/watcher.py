"""One camera that is watched: from its frames to events."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edge.camera.source import CameraEvent
from edge.events.event import Event
from edge.events.facts import Facts
from edge.events.in_zones import InZones
from edge.events.left import LEFT_S, Left, is_gone
from edge.events.loitering import Loitering
from edge.events.look import MIN_SIZE, Look, Rule
from edge.events.occupancy import Crowding, Occupancy
from edge.events.of_camera import CameraStates
from edge.events.presence import Presence
from edge.events.reporter import Reporter
from edge.events.standing import Standing, Travels
from edge.loop.pipeline import Followed, FrameResult
from edge.runtime.backend import Plane
from edge.samples.sample import Image
from edge.things.followed import Places
from edge.things.thing import Thing
from edge.things.tracks import Track
from edge.zones.area import BORDER, IgnoredPixels
from edge.zones.hours import parse_hours
from edge.zones.line import LineWatch
from edge.zones.membership import Membership
from edge.zones.zone import IGNORED, LINE, Zone

DOUBT_S = 5.0
"""Seconds of frames that mean nothing, or of none, after which nobody is there any more."""
MOVES, STAYS_S = 0.25, 1.0
"""Heights of its box that a thing moves, or seconds for which it stays, before it is told: leaves
that flutter come and go in one place."""
SEEN_S, STAYS_SEEN_S = 0.3, 0.5
"""Seconds for which it must be seen without a gap then, if it moves and if it stays: what was lost
may come back elsewhere, and drops of rain fall where others fell."""
GONE_S = 0.5
"""Seconds between two looks at whether what is gone is still gone."""
AROUND = 0.1
"""Share of its box that is shown around a thing to a classifier."""


class Tracking(Protocol):
    """What edge.things.tracks.Tracker is."""

    def update(self, things: list[Thing], time_s: float) -> list[Track]: ...

    def calibrate(self, places: Places) -> None: ...


class Classifier(Protocol):
    """Names what a crop, uint8 [h, w, 3] BGR, shows, with its score 0..1."""

    def __call__(self, crop: Image) -> tuple[str, float]: ...


@dataclass(frozen=True)
class Settings:
    """How a camera is watched; all of it may change while it is.

    Attributes:
        zones: its zones and lines.
        schedule: hours as of edge.zones.hours in which things are watched; empty for always.
            Events of the camera itself are told at any hour.
        left_s: seconds after which a thing was left behind or taken away.
        min_size: share of the frame that a thing must have covered once to be told at all.
    """

    zones: Sequence[Zone] = ()
    schedule: Sequence[str] = ()
    left_s: float = LEFT_S
    min_size: float = MIN_SIZE


@dataclass
class Switches:
    """What was switched off at run time: names of zones, or the whole camera."""

    zones: frozenset[str] = frozenset()
    camera: bool = False


class Watcher:
    """Watches one camera.

    Args:
        camera: its name.
        size: height and width of its frames.
        settings: zones and hours.
        tracker: follows the things of its frames.
        classify: called once for each track, when it is confirmed.
        clock: Unix time.
    """

    def __init__(
        self,
        camera: str,
        size: tuple[int, int],
        settings: Settings,
        tracker: Tracking,
        classify: Classifier | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.camera, self.size, self.switches = camera, size, Switches()
        self._tracker, self._classify, self._clock = tracker, classify, clock
        self.reporter = Reporter(camera, size, clock)
        self.states = CameraStates(self.reporter)
        self._facts = Facts(self.reporter)
        self._occupancy = Occupancy(self.reporter)
        self._travels = Travels()
        self._left = Left(self._travels, settings.left_s)
        self._rules: list[Rule] = [
            Presence(), Standing(self._travels), InZones(), Loitering(), Crowding(), self._left
        ]  # fmt: skip
        self._memberships: dict[str, Membership] = {}
        self._lines: dict[str, LineWatch] = {}
        self._gone: dict[int, float] = {}
        self._known: set[int] = set()
        self._seen_since: dict[int, float] = {}
        self._crossings: list[tuple[int, str, str]] = []
        self._seen_at = self._last_at = self._arrived = 0.0
        self.tracks: list[Track] = []
        self.set_settings(settings)

    def set_settings(self, settings: Settings) -> None:
        """Take over other zones and hours; tracks, and who is in zones of the same name, stay."""
        self.settings = settings
        before = self._memberships
        self._memberships = {}
        for zone in settings.zones:
            if zone.kind in (IGNORED, LINE):
                continue
            membership = before.get(zone.name) or Membership(zone, self.size)
            membership.set_zone(zone, self.size)
            self._memberships[zone.name] = membership
        lines = {zone.name: zone for zone in settings.zones if zone.kind == LINE}
        self._lines = {
            name: kept
            if (kept := self._lines.get(name)) is not None and kept.zone == zone
            else LineWatch(zone, self.size)
            for name, zone in lines.items()
        }
        self._ignored: IgnoredPixels | None = None
        self._left.left_s = settings.left_s

    def calibrate(self, places: Places) -> None:
        """Know other metres on the ground; tracks, and who is in zones, stay."""
        self._tracker.calibrate(places)

    def cut(self, mask: Plane, depth: Plane | None) -> Plane:
        """The mask of a frame without what zones ignore; for CameraPipeline.cut."""
        if self._ignored is None:
            ignored = [zone for zone in self.settings.zones if zone.kind == IGNORED]
            self._ignored = IgnoredPixels(ignored, (mask.shape[0], mask.shape[1]))
        return self._ignored.cut(mask, depth, self._clock(), self.switches.zones)

    def frame(self, result: FrameResult) -> list[Event]:
        """The events of a frame; its mask and depth are read during this call only."""
        at = result.frame.at
        events = self.states.of_scene(result.events)
        self._last_at, self._arrived = at, result.frame.arrived
        if not self._watching():
            return events + self._nobody(at)
        if not result.fits or not self.states.trusted:
            # Masks mean nothing: for a while everything stays as it was.
            return events + (self._nobody(at) if at - self._seen_at > DOUBT_S else [])
        self._seen_at = at
        self.tracks = self._tracker.update(result.things, at)
        look = self._look(result)
        return events + self._happened(look)

    def followed(self) -> Followed:
        """What covers the background: the boxes of the things that are followed, and the outlines
        of what was told to be taken away; for CameraPipeline.followed. What is too small to be told
        covers nothing."""
        taken = self._left.taken()
        told = [
            track
            for track in self.tracks
            if track.number in self._known or track.thing.area >= self.settings.min_size
        ]
        return (
            [track.thing.box for track in told if track.number not in taken],
            [track.thing.outline for track in told if track.number in taken],
        )

    def event(self, event: CameraEvent) -> list[Event]:
        """The events of a change in the state of the source."""
        if self.states.knows(event):
            self._last_at = max(self._last_at, event.at)
        return self.states.of_source(event)

    def tick(self, now: float) -> list[Event]:
        """To be called now and then: nobody is there any more when frames stay away.

        now: as of Frame.arrived.
        """
        if self._arrived and now - self._arrived > DOUBT_S and not self.states.trusted:
            return self._nobody(self._seen_at)
        return []

    def close(self) -> list[Event]:
        """The ends of everything."""
        return self._nobody(self._seen_at) + self.states.close(self._last_at)

    def _watching(self) -> bool:
        now = self._clock()
        hours = [parse_hours(text) for text in self.settings.schedule]
        return not self.switches.camera and (not hours or any(h.include(now) for h in hours))

    def _look(self, result: FrameResult) -> Look:
        """Update everything that remembers, and show it to the rules."""
        at, image, bg = result.frame.at, result.frame.image, result.background.image
        now = self._clock()
        confirmed = {track.number: track for track in self.tracks if track.confirmed}
        self._travels.update(confirmed)
        self._seen_since = {
            number: self._seen_since.get(number, at)
            for number, track in confirmed.items()
            if track.last_seen >= at
        }
        self._gone = {number: when for number, when in self._gone.items() if number in confirmed}
        for number, track in confirmed.items():
            new = number not in self._known
            again = number in self._gone and at - self._gone[number] >= GONE_S
            if not (new or again) or track.last_seen < at:
                continue
            if new and not self._worth_telling(track):
                continue
            self._known.add(number)
            if is_gone(image, bg, track.thing):
                self._gone[number] = at
                continue
            self._gone.pop(number, None)
            if self._classify is not None:
                self.reporter.labels[number] = self._classify(around(image, track.thing))
        self._known &= confirmed.keys()
        self.reporter.forget(confirmed)
        real = {n: t for n, t in confirmed.items() if n in self._known and n not in self._gone}
        for name, membership in self._memberships.items():
            active = membership.zone.active(now) and name not in self.switches.zones
            membership.update(list(real.values()), at, active)
        gone = {number: confirmed[number] for number in self._gone}
        return Look(at, real, gone, self._memberships, image, bg)

    def _worth_telling(self, track: Track) -> bool:
        """Whether a track is more than noise: large enough, and it moves or stays for a while.

        What the frame's border cuts off may be the foot of somebody, who is another track soon.
        """
        if track.thing.area < self.settings.min_size:
            return False
        left, top, wide, tall = track.thing.box
        height, width = self.size
        whole = left >= BORDER and left + wide <= width - BORDER
        whole &= top >= BORDER and top + tall <= height - BORDER
        seen = track.last_seen - self._seen_since[track.number]
        if track.last_seen - track.first_seen >= STAYS_S and seen >= STAYS_SEEN_S:
            return True
        return whole and seen >= SEEN_S and self._travels.went(track, MOVES)

    def _happened(self, look: Look) -> list[Event]:
        facts = [fact for rule in self._rules for fact in rule.facts(look)]
        events = self._facts.update(facts, look.at, look.tracks)
        for track, name, direction in self._crossed(look):
            events.append(
                self.reporter.once("line_crossed", look.at, track, zone=name, direction=direction)
            )
        return events + self._occupancy.update(look)

    def _crossed(self, look: Look) -> list[tuple[Track, str, str]]:
        """The tracks that crossed lines, also before they were told."""
        now = self._clock()
        confirmed = {track.number: track for track in self.tracks if track.confirmed}
        watched = [track for number, track in confirmed.items() if number not in look.gone]
        for name, line in self._lines.items():
            crossed = line.crossed(watched, look.at)
            if line.zone.active(now) and name not in self.switches.zones:
                self._crossings += [(track.number, name, way) for track, way in crossed]
        told = [each for each in self._crossings if each[0] in look.tracks]
        self._crossings = [
            each for each in self._crossings if each[0] in confirmed and each not in told
        ]
        return [(look.tracks[number], name, way) for number, name, way in told]

    def _nobody(self, at: float) -> list[Event]:
        """End what is known of things; the tracks are forgotten by the tracker itself."""
        if not self._facts.any:
            return []
        for membership in self._memberships.values():
            membership.update([], at)
        events = self._facts.close(at)
        empty = np.zeros((0, 0, 3), np.uint8)
        return events + self._occupancy.update(Look(at, {}, {}, self._memberships, empty, empty))


def around(image: Image, thing: Thing) -> Image:
    """The crop of a thing with a little of what is around it, at least one pixel."""
    left, top, wide, tall = thing.box
    x, y = round(AROUND * wide), round(AROUND * tall)
    height, width = image.shape[:2]
    y0, x0 = min(max(top - y, 0), height - 1), min(max(left - x, 0), width - 1)
    return image[y0 : max(top + tall + y, y0 + 1), x0 : max(left + wide + x, x0 + 1)]
