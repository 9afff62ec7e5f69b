"""Makes the events of one camera: their ids, clocks and what they say of a track."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Container
from dataclasses import replace
from datetime import datetime
from typing import Any

from edge.events.event import BEGIN, END, ENDED_BY, ONCE, Event
from edge.things.tracks import Track


class Reporter:
    """Makes events.

    Args:
        camera: its name.
        size: height and width of its frames; None: not known yet.
        clock: Unix time.
    """

    def __init__(
        self, camera: str, size: tuple[int, int] | None, clock: Callable[[], float] = time.time
    ) -> None:
        self.camera, self.size, self._clock = camera, size, clock
        self.labels: dict[int, tuple[str, float]] = {}
        """What a classifier called tracks, with its score."""

    def forget(self, living: Container[int]) -> None:
        """Forget what other tracks were called than the living ones."""
        self.labels = {number: label for number, label in self.labels.items() if number in living}

    def begin(self, kind: str, at: float, track: Track | None = None, **values: Any) -> Event:
        """Something begins; `end` takes what this returns."""
        return self._event(kind, BEGIN, at, track, values)

    def once(self, kind: str, at: float, track: Track | None = None, **values: Any) -> Event:
        """Something happens that does not last."""
        return self._event(kind, ONCE, at, track, values)

    def end(
        self, begun: Event, at: float, track: Track | None = None, since: float | None = None
    ) -> Event:
        """What has begun is over.

        Args:
            begun: its begin.
            at: source time in seconds.
            track: as it was last seen, where it has one.
            since: source time from which its duration counts; by default that of its begin.
        """
        begin = begun.source_time if since is None else since
        return replace(
            begun,
            id=f"{begun.incident}-{END}",
            kind=ENDED_BY.get(begun.kind, begun.kind),
            phase=END,
            time=self._now(),
            source_time=at,
            duration_s=max(0.0, at - begin),
            text=None,
            snapshot=None,
            clip=None,
            **self._of(track),
        )

    def _event(
        self, kind: str, phase: str, at: float, track: Track | None, values: dict[str, Any]
    ) -> Event:
        incident = uuid.uuid4().hex
        return Event(
            id=f"{incident}-{phase}",
            incident=incident,
            kind=kind,
            camera=self.camera,
            time=self._now(),
            source_time=at,
            phase=phase,
            size=self.size,
            **self._of(track),
            **values,
        )

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock()).astimezone().isoformat("T", "milliseconds")

    def _of(self, track: Track | None) -> dict[str, Any]:
        if track is None:
            return {}
        thing = track.thing
        called = {}
        if (label := self.labels.get(track.number)) is not None:
            called = {"label": label[0], "label_score": label[1]}
        return {
            "track": track.number,
            "box": thing.box,
            "foot": thing.foot,
            "depth": thing.ground_depth if thing.ground_depth is not None else thing.depth,
            "distance_m": None if track.position is None else math.hypot(*track.position),
            "confidence": thing.confidence,
            **called,
        }
