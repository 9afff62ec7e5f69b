"""A zone: a polygon or a line on the image, and an interval of depth or distance."""

from __future__ import annotations

from dataclasses import dataclass

from edge.errors import UsageError
from edge.zones.hours import parse_hours

Point = tuple[float, float]
"""x to the right and y down, as shares of the frame's width and height, 0..1."""

RESTRICTED, COUNTED, IGNORED, LINE = "restricted", "counted", "ignored", "line"
KINDS = (RESTRICTED, COUNTED, IGNORED, LINE)
FOOT, OVERLAP, ANY = "foot", "overlap", "any"
RULES = (FOOT, OVERLAP, ANY)

SMALLEST = 1e-6
"""Area of a zone, as a share of the frame, below which it is none: a pixel of a large frame."""

INEFFECTIVE = {
    RESTRICTED: ("directions", "max_count"),
    COUNTED: ("directions",),
    IGNORED: (
        "directions", "distance_m", "hysteresis", "inertia_frames", "inertia_s", "loitering_s",
        "max_count", "min_age_s", "min_size", "rule",
    ),
    LINE: ("loitering_s", "max_count", "rule"),
}  # fmt: skip
"""Keys without effect on a kind of zone."""


@dataclass(frozen=True)
class Zone:
    """Where something matters.

    Attributes:
        name: unique in its file; it is part of topics and paths.
        kind: `restricted` (entering is an alarm), `counted` (how many are in), `ignored` (nothing
            there is looked at, it is cut out of the mask) or `line` (crossing it is an event).
        points: corners of a polygon (3 or more), or of a line (2 or more) from its beginning to
            its end; relative to the frame, so that its size may change.
        depth: lowest and highest relative inverse depth, 0..1, near is large; None for any. It is
            that of the ground at the foot with the rule `foot`, else the thing's own; of an ignored
            zone that of each pixel.
        distance_m: lowest and highest distance in metres, of a calibrated scene; None for any.
        rule: when a thing is in: `foot` (its foot is), `overlap` (half of it is) or `any` (any
            part of it is).
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
        max_count: things in a counted zone from which on one more is an alarm; None for no limit.
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

    def active(self, at: float) -> bool:
        """Whether the zone is active at a Unix time, by the local clock."""
        return not self.hours or any(parse_hours(text).include(at) for text in self.hours)


def check_zone(zone: Zone) -> None:
    """Raise UsageError about what the values of a zone say about each other."""
    polygon = zone.kind != LINE
    least = 3 if polygon else 2
    if len(zone.points) < least:
        raise UsageError(f"key `points`: {len(zone.points)} points, expected {least} or more")
    if len(set(zone.points)) < len(zone.points):
        raise UsageError("key `points`: a point occurs twice", "leave it out the second time")
    if polygon and (pair := _crossing(zone.points)):
        raise UsageError(
            "key `points`: the outline crosses itself, its sides from the points"
            f" {pair[0] + 1} and {pair[1] + 1} cut each other",
            "give the corners in their order around the zone",
        )
    if polygon and _area(zone.points) < SMALLEST:
        raise UsageError(
            "key `points`: they lie on one line, so that the zone has no area",
            "give three or more corners, or make it a zone of kind line",
        )
    if zone.depth is not None and zone.distance_m is not None:
        raise UsageError("keys `depth` and `distance_m` exclude each other", "leave one out")
    if zone.directions[0] == zone.directions[1]:
        raise UsageError("key `directions`: both have one name, expected two")


def _area(points: tuple[Point, ...]) -> float:
    """The area of a polygon, as a share of the frame."""
    ends = zip(points, (*points[1:], points[0]), strict=True)
    return abs(sum(ax * by - bx * ay for (ax, ay), (bx, by) in ends)) / 2


def _crossing(points: tuple[Point, ...]) -> tuple[int, int] | None:
    """Two sides of a polygon that cut each other, by the numbers of their first points."""
    count = len(points)
    for i in range(count):
        for j in range(i + 2, count):
            if (j + 1) % count != i and segments_cross(
                points[i], points[i + 1], points[j], points[(j + 1) % count]
            ):
                return i, j
    return None


def side(begin: Point, end: Point, point: Point) -> float:
    """Positive where a point lies to the right of the way from begin to end on the image."""
    (ax, ay), (bx, by), (px, py) = begin, end, point
    return (bx - ax) * (py - ay) - (by - ay) * (px - ax)


def segments_cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the segments a-b and c-d cut each other; a point on a segment lies to its left."""
    return (side(a, b, c) > 0) != (side(a, b, d) > 0) and (side(c, d, a) > 0) != (side(c, d, b) > 0)
