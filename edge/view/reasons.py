"""Why an event was told, in words: which rule fired, and by how much."""

from __future__ import annotations

import re

import cv2
import numpy as np

from edge.camera.address import redact_address
from edge.events.event import Event
from edge.watch.config import CameraConfig
from edge.zones.zone import ANY, FOOT, OVERLAP, Zone

PARTS = {FOOT: "its foot", OVERLAP: "half of it", ANY: "a part of it"}
"""What of a thing must be in a zone, by the zone's rule."""
OUT = {OVERLAP: "too little of it", ANY: "no part of it"}
"""What is in a zone that was left."""
OF_THINGS = {
    "appeared": "{thing} was new in the scene, large enough, and moved or stayed.",
    "left": "{thing} was seen no more.",
    "standing": "{thing} went about and stands still.",
    "moving": "{thing} stood, and moves again.",
    "left_behind": "{thing} stays where it was not before.",
    "taken_away": "Something that belongs to the background is gone.",
}


def named(text: str, camera: CameraConfig) -> str:
    """A text that calls a camera by its name: sources know their address only."""
    address = rf"(?<!\S){re.escape(redact_address(camera.source))}(?![^\s:;,])"
    return re.sub(address, lambda _: camera.name, text, count=1)


def why(event: Event, zone: Zone | None, followed: bool = True) -> str:
    """Sentences about an event.

    Args:
        event: that was told.
        zone: that it names, as it was then; None where it names none.
        followed: its thing was still followed when it was told.
    """
    thing = f"Thing {event.track}" if event.track is not None else "Something"
    if zone is None and event.zone is not None:
        return f"The zone “{event.zone}” is not there any more."
    if zone is None:
        return event.text or OF_THINGS.get(event.kind, "{thing}.").format(thing=thing)
    left = event.kind == "zone_left"
    sentences = [_left(event, zone, thing, followed) if left else _in_zone(event, zone, thing)]
    if zone.hours:
        sentences.append(f"The zone is active {', '.join(zone.hours)}.")
    return " ".join(sentences)


def _in_zone(event: Event, zone: Zone, thing: str) -> str:
    place = _place(zone)
    if event.kind == "line_crossed":
        return f"{thing} crossed the line “{zone.name}” to “{event.direction}” with its foot."
    if event.kind == "occupancy":
        limit = "" if zone.max_count is None else f"; more than {zone.max_count} are too many"
        return f"{event.count} in the {place}{limit}."
    if event.kind == "loitering":
        return f"{thing} was in the {place} for more than {zone.loitering_s:g} seconds."
    depth = "" if (told := _depth(event, zone)) is None else f", and {told[0]}"
    return (
        f"{thing} entered the {place}: {PARTS[zone.rule]} was inside its outline{depth}, in"
        f" {zone.inertia_frames} frames or more over {zone.inertia_s:g} seconds or more."
    )


def _left(event: Event, zone: Zone, thing: str, followed: bool) -> str:
    """Why a thing is in a zone no more: it went, or nothing is known of it any more."""
    place, depth = _place(zone), _depth(event, zone)
    told = "" if depth is None else f"; {depth[0]}"
    if not followed:
        return f"{thing} was seen no more; until then it was in the {place}{told}."
    if zone.rule == FOOT and _beside(event, zone):
        return f"{thing} left the {place}: its foot was outside its outline{told}."
    if depth is not None and not depth[1]:
        return f"{thing} left the {place}: {depth[0]}."
    if zone.rule != FOOT:
        way = ", or its depth outside the interval" if zone.depth is not None else ""
        return f"{thing} left the {place}: {OUT[zone.rule]} was inside its outline{way}."
    return (
        f"{thing} was in the {place} until the zone or its camera was not watched any more, or the"
        f" thing became too small{told}."
    )


def _place(zone: Zone) -> str:
    return f"{zone.kind} zone “{zone.name}”"


def _beside(event: Event, zone: Zone) -> bool:
    """Whether the foot of an event lies outside the outline of its zone."""
    if event.box is None or event.size is None:
        return False
    left, top, wide, tall = event.box
    foot = event.foot or (left + wide / 2, top + tall - 1)  # the border cuts it off
    height, width = event.size
    outline = np.array([(x * width, y * height) for x, y in zone.points], np.float32)
    return bool(cv2.pointPolygonTest(outline, foot, False) < 0)


def _depth(event: Event, zone: Zone) -> tuple[str, bool] | None:
    """What the zone's interval of depth or distance said, and whether that was inside; None where
    the zone has none."""
    if zone.distance_m is not None:
        low, high = zone.distance_m
        far = event.distance_m
        inside = far is None or low <= far <= high
        found = "it was" if far is None else f"it was {far:.1f} m away,"
        return f"{found} {_side(inside)} the zone's {low:g} to {high:g} m", inside
    if zone.depth is None:
        return None
    low, high = zone.depth
    whose = "the ground at its foot" if zone.rule == FOOT else "it"
    # The event names the depth of the ground; with the other rules the zone asks for the thing's.
    deep = event.depth if zone.rule == FOOT else None
    inside = deep is None or low <= deep <= high
    found = "" if deep is None else f" {deep:.2f},"
    interval = f"{low:g} to {high:g} (near is large)"
    return f"the depth of {whose} was{found} {_side(inside)} {interval}", inside


def _side(inside: bool) -> str:
    return "inside" if inside else "outside"
