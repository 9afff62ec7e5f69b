"""One event, as JSON lines, sinks and files carry it (docs/event.schema.json)."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

SCHEMA = 1
"""Version of the JSON of an event; it grows when a key changes its meaning or goes."""

BEGIN, END, ONCE = "begin", "end", "once"
PHASES = (BEGIN, END, ONCE)

THING_KINDS = (
    "appeared", "left", "standing", "moving", "zone_entered", "zone_left", "line_crossed",
    "loitering", "left_behind", "taken_away", "occupancy",
)  # fmt: skip
CAMERA_KINDS = (
    "lost", "back", "frozen", "camera_moved", "covered", "defocused", "scene_changed",
    "background_unsure", "int8_drift",
    "background_unsure", "background_renewed", "background_switched", "background_learned",
)  # fmt: skip
KINDS = THING_KINDS + CAMERA_KINDS
ENDED_BY = {
    "appeared": "left",
    "standing": "moving",
    "zone_entered": "zone_left",
    "lost": "back",
}
"""Kinds whose end has a word of its own; all others end as the kind that they began as."""


@dataclass(frozen=True)
class Event:
    """Something that happened, begun or ended.

    Attributes:
        id: unique, the same in every retry: receivers drop duplicates by it.
        incident: the same in the begin and the end of one thing that happens.
        kind: one of KINDS.
        camera: name of the camera.
        time: wall clock, ISO 8601 with the offset from UTC.
        source_time: seconds of the source, as of edge.camera.source.Frame.at.
        phase: `begin`, `end` or `once`.
        track: number of the thing's track.
        zone: name of the zone or line.
        direction: name of the direction in which a line was crossed.
        count: things in the zone, for `occupancy`.
        box: left, top, width and height in pixels of the frame.
        foot: x and y where the thing stands, in pixels of the frame.
        depth: ground depth at the foot, relative inverse depth 0..1, near is large.
        distance_m: metres from the camera, once the scene is calibrated.
        confidence: mean probability of the mask inside the thing's outline, 0..1.
        duration_s: in an `end`: seconds since the begin.
        size: height and width of the frame.
        label: what a classifier called the thing, with its score 0..1 in `label_score`.
        text: a sentence for people.
        snapshot, clip: paths relative to the folder that holds them.
    """

    id: str
    incident: str
    kind: str
    camera: str
    time: str
    source_time: float
    phase: str
    track: int | None = None
    zone: str | None = None
    direction: str | None = None
    count: int | None = None
    box: tuple[int, int, int, int] | None = None
    foot: tuple[float, float] | None = None
    depth: float | None = None
    distance_m: float | None = None
    confidence: float | None = None
    duration_s: float | None = None
    size: tuple[int, int] | None = None
    label: str | None = None
    label_score: float | None = None
    text: str | None = None
    snapshot: str | None = None
    clip: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Every key of the published schema; null where it does not apply."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, digits in ROUNDED.items():
            if values[name] is not None:
                values[name] = _rounded(values[name], digits)
        return {"schema": SCHEMA, **values}

    def as_json(self) -> str:
        """One line of JSON without a line break."""
        return json.dumps(self.as_dict(), ensure_ascii=False)


ROUNDED = {
    "source_time": 3,
    "foot": 1,
    "depth": 3,
    "distance_m": 2,
    "confidence": 3,
    "duration_s": 3,
    "label_score": 3,
}
"""Digits after the point that are worth printing."""


def _rounded(value: Any, digits: int) -> Any:
    if isinstance(value, tuple):
        return [round(each, digits) for each in value]
    return round(value, digits)
