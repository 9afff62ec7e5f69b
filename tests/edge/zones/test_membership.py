"""Who is in a zone: no flicker."""

from __future__ import annotations

from dataclasses import replace

from edge.zones.membership import Membership
from edge.zones.zone import Zone

from .tracks import SIZE, track

LEFT = Zone(
    "left", "restricted", ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)), inertia_frames=3,
    inertia_s=0.0, hysteresis=0.0,
)  # fmt: skip
IN, OUT, HIDDEN = (50.0, 50.0), (150.0, 50.0), None


def states(zone: Zone, feet: list[tuple[float, float] | None]) -> str:
    """`x` for every frame in which track 1 is in."""
    membership, found = Membership(zone, SIZE), ""
    for number, foot in enumerate(feet):
        at = 0.1 * number
        membership.update([track(1, foot, at, place=(50.0, 50.0))], at)
        found += "x" if 1 in membership.inside else "."
    return found


def test_it_takes_some_frames_to_enter_and_to_leave() -> None:
    assert states(LEFT, [IN] * 5 + [OUT] * 5) == "..xxxxx..."


def test_it_takes_some_seconds() -> None:
    assert states(replace(LEFT, inertia_s=0.35), [IN] * 6 + [OUT] * 6) == "....xxxxxx.."


def test_a_foot_that_flickers_neither_enters_nor_leaves() -> None:
    assert states(LEFT, [IN, OUT] * 10) == "." * 20
    assert states(LEFT, [IN] * 3 + [OUT, IN] * 10) == ".." + "x" * 21


def test_who_is_hidden_stays() -> None:
    assert states(LEFT, [IN] * 3 + [HIDDEN] * 20) == ".." + "x" * 21
    assert states(LEFT, [OUT] * 3 + [HIDDEN] * 20) == "." * 23


def test_since_when() -> None:
    membership = Membership(LEFT, SIZE)
    for number in range(5):
        membership.update([track(1, IN, 1.0 + 0.1 * number)], 1.0 + 0.1 * number)
    assert membership.inside == {1: 1.0}


def test_a_track_that_ended_is_out_and_so_is_everybody_of_a_zone_that_is_not_active() -> None:
    membership = Membership(replace(LEFT, inertia_frames=1), SIZE)
    membership.update([track(1, IN), track(2, IN), track(3, OUT)], 0.0)
    assert set(membership.inside) == {1, 2}
    membership.update([track(2, IN, 0.1)], 0.1)
    assert set(membership.inside) == {2}
    membership.update([track(2, IN, 0.2)], 0.2, active=False)
    assert membership.inside == {}


def test_an_edited_zone_keeps_who_is_in_until_they_are_seen_outside() -> None:
    membership = Membership(LEFT, SIZE)
    for at in (0.0, 0.1, 0.2):
        membership.update([track(1, IN, at), track(2, (90.0, 50.0), at)], at)
    smaller = ((0.0, 0.0), (0.4, 0.0), (0.4, 1.0), (0.0, 1.0))
    membership.set_zone(replace(LEFT, points=smaller), SIZE)
    assert set(membership.inside) == {1, 2}
    for at in (0.3, 0.4, 0.5):
        membership.update([track(1, IN, at), track(2, (90.0, 50.0), at)], at)
    assert set(membership.inside) == {1}
