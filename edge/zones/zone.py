"""A zone: a polygon or a line on the image, and an interval of depth or distance."""

from __future__ import annotations

from dataclasses import dataclass

Point = tuple[float, float]
"""x to the right and y down, as shares of the frame's width and height, 0..1."""

RESTRICTED, COUNTED, IGNORED, LINE = "restricted", "counted", "ignored", "line"
KINDS = (RESTRICTED, COUNTED, IGNORED, LINE)
FOOT, OVERLAP, ANY = "foot", "overlap", "any"
RULES = (FOOT, OVERLAP, ANY)


@dataclass(frozen=True)
class Zone:
    """Where something matters.

    Attributes:
        name: unique in its file; it is part of topics and ids.
        kind: `restricted` (entering is an alarm), `counted` (how many are in), `ignored` (nothing
            there is looked at, it is cut out of the mask) or `line` (crossing it is an event).
        points: corners of a polygon (3 or more), or of a line (2 or more) from its beginning to
            its end; relative to the frame, so that its size may change.
        depth: lowest and highest relative inverse depth of the ground, 0..1, near is large; None
            for any. It excludes distance_m.
        distance_m: lowest and highest distance in metres, of a calibrated scene; None for any.
        rule: when a thing is in: `foot` (its foot and the ground depth there), `overlap` (half of
            its box, at its own depth) or `any` (any pixel of its outline, at its own depth).
        directions: of a line, the names of crossing it to the right and to the left as seen from
            its beginning to its end.
        hours: when the zone is active, as `22:00-06:00` or `mon-fri 08:00-18:00` in local time;
            empty for always.
        min_size: share of the frame, 0..1, that a thing must cover.
        min_age_s: seconds for which a thing must have been seen.
        inertia_frames, inertia_s: a thing must be in (or out) for so many frames and seconds
            before it has entered (or left).
        hysteresis: share of the frame's height by which a thing must be out before it has left;
            of an interval of depth or distance the same share of its bounds.
        loitering_s: seconds in the zone after which a thing loiters; None for never.
        max_count: things from which on one more is an `occupancy` alarm; None for no limit.
    """

    name: str
    kind: str
    points: tuple[Point, ...]
    depth: tuple[float, float] | None = None
    distance_m: tuple[float, float] | None = None
    rule: str = FOOT
    directions: tuple[str, str] = ("right", "left")
    hours: tuple[str, ...] = ()
    min_size: float = 0.0
    min_age_s: float = 0.0
    inertia_frames: int = 3
    inertia_s: float = 0.2
    hysteresis: float = 0.01
    loitering_s: float | None = None
    max_count: int | None = None
