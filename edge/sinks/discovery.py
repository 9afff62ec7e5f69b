"""What Home Assistant is told of, so that its entities appear by themselves.

The names are those that users of Frigate know: an occupancy and a count of each camera and zone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import edge
from edge.sinks.sink import CONFIRM
from edge.sinks.states import COUNTED_KINDS
from edge.zones.zone import Zone

Config = dict[str, Any]


def slug(name: str) -> str:
    """A name in letters, digits, `_` and `-`; two names never become one."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    if plain == name:
        return name
    return f"{plain}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def node(prefix: str) -> str:
    """The name of a program in topics of Home Assistant and towards its broker."""
    return slug(prefix.replace("/", "_"))


def configs(
    prefix: str,
    cameras: Mapping[str, Sequence[Zone]],
    profiles: Sequence[str],
    switches: bool,
    snapshots: bool,
) -> dict[str, Config]:
    """The discovery messages by their topic below Home Assistant's prefix.

    Args:
        prefix: of the topics of this program.
        cameras: the zones of each camera.
        profiles: that can be chosen; none for no choice.
        switches: zones can be turned on and off.
        snapshots: each camera has an image of its last event.
    """
    found: dict[str, Config] = {}
    program = node(prefix)

    def add(component: str, path: Sequence[str], name: str, device: Config, **keys: Any) -> None:
        words = [slug(word) for word in path]
        topics = [f"{prefix}/availability"]
        if path[0] in cameras and path[-1] != "problem":
            topics.append(f"{prefix}/{path[0]}/availability")
        found[f"{component}/{program}/{'-'.join(words)}/config"] = {
            "name": name,
            "unique_id": "_".join([program, *words]),
            "device": device,
            "origin": {"name": "edge", "sw_version": edge.__version__},
            "availability": [{"topic": topic} for topic in topics],
            "availability_mode": "all",
            "qos": 1,
            **keys,
        }

    for camera, zones in cameras.items():
        device = {
            "identifiers": [f"{program}_{slug(camera)}"],
            "name": camera,
            "manufacturer": "edge",
            "model": "fixed camera",
            "sw_version": edge.__version__,
        }
        base = f"{prefix}/{camera}"
        places: list[tuple[tuple[str, ...], str, str]] = [((camera,), base, "")]
        for zone in zones:
            if zone.kind in COUNTED_KINDS:
                places.append(((camera, zone.name), f"{base}/{zone.name}", f"{zone.name} "))
            if switches:
                add(
                    "switch", (camera, "zone", zone.name), f"Zone {zone.name}", device,
                    command_topic=f"{base}/zone/{zone.name}/set",
                    state_topic=f"{base}/zone/{zone.name}/state",
                    entity_category="config",
                )  # fmt: skip
        for path, topic, before in places:
            add(
                "binary_sensor", (*path, "occupancy"), f"{before}Occupancy".capitalize(), device,
                state_topic=f"{topic}/occupancy", device_class="occupancy",
            )  # fmt: skip
            add(
                "sensor", (*path, "count"), f"{before}Count".capitalize(), device,
                state_topic=f"{topic}/count", state_class="measurement",
            )  # fmt: skip
        add(
            "binary_sensor", (camera, "problem"), "Problem", device,
            state_topic=f"{base}/problem", device_class="problem", entity_category="diagnostic",
        )  # fmt: skip
        if switches:
            add(
                "button", (camera, "background", "confirm"), "Learn the scene anew", device,
                command_topic=f"{base}/background/set", payload_press=CONFIRM,
                entity_category="config",
            )  # fmt: skip
        if snapshots:
            add(
                "image", (camera, "snapshot"), "Last event", device,
                image_topic=f"{base}/snapshot", content_type="image/jpeg",
            )  # fmt: skip
    if profiles and switches:
        device = {"identifiers": [program], "name": prefix, "manufacturer": "edge"}
        add(
            "select", ("profile",), "Profile", device,
            command_topic=f"{prefix}/profile/set", state_topic=f"{prefix}/profile/state",
            options=list(profiles), entity_category="config",
        )  # fmt: skip
    return found
