"""Zones by depth against a depth sensor: who is beyond a distance, and who is in front of it.

    python -m edge.benchmarks.events.depth_zones DATA BUILD

DATA is a folder of RGB-D cameras (`rgbd/` of shared/data). The zone of each camera is the whole
image, and the depths beyond a distance: the scene's depth of the floor there, as somebody who walks
to that line reads it off an event. Every thing that the sensor sees is compared, frame by frame,
without inertia. Those within 10 % of the line are left out.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import edge
from edge.benchmarks.distances import (
    LARGE,
    Floor,
    find_floor,
    positions,
    read_depth,
    true_distance,
)
from edge.samples.image_file import read_image, read_stored
from edge.samples.rgbd import BG, BG_DEPTH, DEPTH, MASK, RGB
from edge.things.find import find_things
from edge.things.ground import Ground, ground_of
from edge.things.thing import Thing
from edge.things.tracks import Track
from edge.zones.area import ZoneArea
from edge.zones.zone import OVERLAP, Zone

LINES = {
    "ist_class_one": 3.0,
    "ist_class_queue": 3.0,
    "ist_class_crowd": 3.0,
    "fall_room_a": 2.8,
    "fall_room_b": 2.8,
    "urfd_office": 2.8,
}
"""Metres along the floor at which the zone of a camera begins; people are on both sides."""
BESIDE = 0.1
"""Share of that distance within which nobody is compared."""
HEADER = """\
| camera | things | in, told in | out, told out | wrong | foot unknown | wrong by own depth |
| --- | --: | --: | --: | --: | --: | --: |"""


def depth_at(metres: float, empty: npt.NDArray[Any], floor: Floor, ground: Ground) -> float:
    """The scene's depth of the floor at a distance."""
    height, width = empty.shape
    points = positions(empty)
    on_floor = np.abs(points @ floor.down - floor.height) < 0.03 * np.maximum(points[..., 2], 1e-3)
    distances = floor.distances(points.reshape(-1, 3)).reshape(height, width)
    there = on_floor & (empty > 0) & (np.abs(distances - metres) < 0.03 * metres)
    rows, columns = ground.size
    depths = [
        depth
        for y, x in np.argwhere(there)[::7]
        if (depth := ground.depth_at(x * columns / width, y * rows / height)) is not None
    ]
    return float(np.median(depths))


def measure(h: edge.Handle, folder: Path, metres: float) -> list[int]:
    """The figures of one camera, as of HEADER."""
    bg, empty = read_image(folder / BG), read_depth(folder / BG_DEPTH)
    fitted = edge.fit(h, bg)
    edge.set_background(h, fitted)
    ground, floor, size = ground_of(h, fitted), find_floor(empty), (bg.shape[0], bg.shape[1])
    corners = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    zone = Zone(
        "beyond", "restricted", corners, depth=(0.0, depth_at(metres, empty, floor, ground))
    )
    by_foot = ZoneArea(zone, size)
    by_own = ZoneArea(replace(zone, rule=OVERLAP), size)
    counts = dict.fromkeys(("things", "in", "out", "wrong", "unknown", "own"), 0)
    for frame in sorted((folder / RGB).iterdir()):
        mask, depth = edge.infer(h, edge.fit(h, read_image(frame)))
        assert mask is not None
        sensor = read_depth(folder / DEPTH / f"{frame.stem}.png")
        seen = np.asarray(read_stored(folder / MASK / f"{frame.stem}.png"), np.uint8)
        for thing in find_things(mask, depth, size, ground):
            true = true_distance(thing, sensor, seen, floor) if thing.area >= LARGE else np.nan
            if not abs(true - metres) > BESIDE * metres:
                continue
            beyond = true > metres
            told = by_foot.includes(_track(thing), False)
            counts["things"] += 1
            counts["own"] += by_own.includes(_track(thing), False) is not beyond
            kind = "unknown" if told is None else "wrong" if told != beyond else "out"
            counts["in" if kind == "out" and beyond else kind] += 1
    return list(counts.values())


def _track(thing: Thing) -> Track:
    return Track(1, thing, 0.0, 0.0, True, 0.0, None, None)


def main(data: Path, build: Path) -> None:
    """Print the table."""
    print(HEADER)
    total = [0] * 6
    with edge.open(build) as h:
        for name, metres in LINES.items():
            counts = measure(h, data / name, metres)
            total = [a + b for a, b in zip(total, counts, strict=True)]
            print(f"| {name}, {metres:g} m | " + " | ".join(map(str, counts)) + " |", flush=True)
    print("| **all** | " + " | ".join(map(str, total)) + " |")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m edge.benchmarks.events.depth_zones DATA BUILD")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
