"""What happens in footage of shared/data, written down by looking at its frames.

Times are seconds of the footage, read from frames 4 to 10 apart, so they are right within a second.
Where two people walk side by side, both are expected.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.zones.zone import Zone


@dataclass(frozen=True)
class Expected:
    """One event, begun and ended.

    Attributes:
        kind: of its begin, of edge.events.event.KINDS.
        begin: seconds of the footage.
        end: when it is over; None for what happens once or lasts until the end of the footage.
        zone: name of the zone or line, None for events of no zone.
        direction: in which a line is crossed.
    """

    kind: str
    begin: float
    end: float | None = None
    zone: str | None = None
    direction: str | None = None


@dataclass(frozen=True)
class Footage:
    """Footage and what happens in it.

    Attributes:
        name: of the row.
        place: relative to the folder of data: a video, or a labelled sequence.
        fps: frames a second of a sequence; None for a video.
        zones: zones and lines that it is watched with.
        judged: kinds of begins that were written down; others are not looked at.
        expected: the events.
        left_s: as of `edge watch --left-after`.
    """

    name: str
    place: str
    fps: float | None
    zones: tuple[Zone, ...]
    judged: tuple[str, ...]
    expected: tuple[Expected, ...]
    left_s: float = 30.0


def visits(zone: str, *times: tuple[float, float | None]) -> tuple[Expected, ...]:
    """Being in a zone."""
    return tuple(Expected("zone_entered", begin, end, zone) for begin, end in times)


def crossings(zone: str, *ways: tuple[float, str]) -> tuple[Expected, ...]:
    """Crossing a line."""
    return tuple(Expected("line_crossed", at, None, zone, direction) for at, direction in ways)


def stays(*times: tuple[float, float | None]) -> tuple[Expected, ...]:
    """Being there."""
    return tuple(Expected("appeared", begin, end) for begin, end in times)


ONE_BY_ONE = ((6.3, 19.8), (23.0, 44.9), (50.3, 69.9), (74.7, 86.9), (92.3, 120.1), (123.5, 136.2))

FOOTAGE = (
    Footage(
        "vtest: road and lawn",
        "videos/vtest.avi",
        None,
        (
            Zone(
                "road",
                "restricted",
                ((0.80, 0.19), (1.0, 0.19), (1.0, 0.24), (0.945, 0.30), (0.93, 0.335),
                 (0.70, 0.33), (0.66, 0.30), (0.72, 0.27)),
                min_size=0.0015,  # a tape flutters there
            ),
            Zone(
                "lawn",
                "restricted",
                ((0.0, 0.58), (0.25, 0.62), (0.45, 0.72), (0.66, 0.92), (0.70, 1.0), (0.0, 1.0)),
            ),
        ),
        ("zone_entered",),
        (
            *visits("road", (12.1, 26.4), (12.1, 26.4), (12.8, 17.5), (71.3, 77.1)),
            *visits("lawn", (51.7, 59.0), (51.7, 71.5)),
        ),
    ),
    Footage(
        "intel one by one: table and exit",
        "videos/intel_one-by-one-person-detection.mp4",
        None,
        (
            Zone("table", "counted", ((0.42, 0.72), (0.78, 0.72), (0.78, 1.0), (0.42, 1.0))),
            Zone("exit", "line", ((0.85, 0.5), (0.85, 1.0)), directions=("in", "out")),
            # A dark screen in which people are reflected.
            Zone("screen", "ignored", ((0.0, 0.0), (0.07, 0.0), (0.15, 0.41), (0.0, 0.41))),
        ),
        ("appeared", "zone_entered", "line_crossed"),
        (
            *stays(*ONE_BY_ONE),
            *visits("table", (6.8, 18.9), (23.4, 44.1), (50.8, 69.1), (75.0, 86.0), (92.8, 118.8),
                    (124.0, 135.0)),
            *crossings("exit", (19.2, "out"), (44.4, "out"), (69.3, "out"), (86.0, "out"),
                       (119.0, "out"), (135.4, "out")),
        ),
    ),
    Footage(
        "intel cars: line across the road",
        "videos/intel_car-detection.mp4",
        None,
        (Zone("road", "line", ((0.0, 0.5), (1.0, 0.5)), directions=("down", "up")),),
        ("appeared", "line_crossed"),
        (
            *stays((4.5, 8.6), (14.6, 18.3), (15.1, 18.9), (25.4, 28.0)),
            *crossings("road", (7.0, "up"), (15.8, "down"), (17.7, "up"), (26.1, "down")),
        ),
    ),
    Footage(
        "sbi Candela: a bag is put down",
        "sequences/sbi_Candela_m1.10",
        100 / 14,
        (),
        ("appeared", "left_behind", "taken_away"),
        (
            *stays((0.6, None), (3.0, None)),
            Expected("left_behind", 8.0),
        ),
        left_s=5.0,
    ),
    Footage(
        "sbi CaVignal: somebody walks off",
        "sequences/sbi_CaVignal",
        10.0,
        (Zone("middle", "line", ((0.5, 0.5), (0.5, 1.0)), directions=("left", "right")),),
        ("appeared", "line_crossed", "left_behind", "taken_away"),
        (*stays((0.0, None)), *crossings("middle", (7.8, "right"))),
        left_s=5.0,
    ),
    Footage(
        "sbi IBMtest2: into the hall",
        "sequences/sbi_IBMtest2",
        10.0,
        (Zone("edge", "line", ((0.36, 0.45), (0.36, 1.0)), directions=("out", "in")),),
        ("appeared", "line_crossed"),
        (
            *stays((0.1, 5.9), (3.5, None)),
            *crossings("edge", (2.3, "in"), (5.4, "in")),
        ),
    ),
)  # fmt: skip
