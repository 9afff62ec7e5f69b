"""Why an event was told, in words: which rule fired, and by how much."""

from __future__ import annotations

from edge.events.event import Event
from edge.zones.zone import FOOT, OVERLAP, Zone

PARTS = {FOOT: "its foot", OVERLAP: "half of it", "any": "a part of it"}
"""What of a thing must be in a zone, by the zone's rule."""
OF_THINGS = {
    "appeared": "{thing} was new in the scene, large enough, and moved or stayed.",
    "left": "{thing} was seen no more.",
    "standing": "{thing} went about and stands still.",
    "moving": "{thing} stood, and moves again.",
    "left_behind": "{thing} stays where it was not before.",
    "taken_away": "Something that belongs to the background is gone.",
}


def why(event: Event, zone: Zone | None) -> str:
    """Sentences about an event.

    Args:
        event: that was told.
        zone: that it names, as it was then; None where it names none.
    """
    thing = f"Thing {event.track}" if event.track is not None else "Something"
    if zone is None:
        return event.text or OF_THINGS.get(event.kind, "{thing}.").format(thing=thing)
    sentences = [_in_zone(event, zone, thing)]
    if zone.hours:
        sentences.append(f"The zone is active {', '.join(zone.hours)}.")
    return " ".join(sentences)


def _in_zone(event: Event, zone: Zone, thing: str) -> str:
    named = f"{zone.kind} zone “{zone.name}”"
    if event.kind == "line_crossed":
        return f"{thing} crossed the line “{zone.name}” to “{event.direction}” with its foot."
    if event.kind == "occupancy":
        limit = "" if zone.max_count is None else f"; more than {zone.max_count} are too many"
        return f"{event.count} in the {named}{limit}."
    if event.kind == "zone_left":
        return f"{thing} was out of the {named}, or was seen no more."
    part = PARTS[zone.rule]
    if event.kind == "loitering":
        return f"{thing} was in the {named} for more than {zone.loitering_s:g} seconds."
    return (
        f"{thing} entered the {named}: {part} was inside its outline{_interval(event, zone)}, in"
        f" {zone.inertia_frames} frames or more over {zone.inertia_s:g} seconds or more."
    )


def _interval(event: Event, zone: Zone) -> str:
    """What the zone's interval of depth or distance said."""
    if zone.distance_m is not None:
        low, high = zone.distance_m
        found = "" if event.distance_m is None else f" {event.distance_m:.1f} m away,"
        return f",{found} where the zone has {low:g} to {high:g} m"
    if zone.depth is None:
        return ""
    low, high = zone.depth
    whose = "the ground at its foot" if zone.rule == FOOT else "it"
    # The event names the depth of the ground; with the other rules the zone asks for the thing's.
    known = event.depth is not None and zone.rule == FOOT
    found = f"{event.depth:.2f}, inside" if known else "inside"
    return f", and the depth of {whose} was {found} {low:g} to {high:g} (near is large)"
