"""`make distances`: metres on the ground against a depth sensor.

    python -m edge.benchmarks.distances DATA [--network small] [--build FOLDER]

DATA is a folder of RGB-D cameras (edge.samples.rgbd) that holds those of CAMERAS. Of each scene two
points on the floor are known, as somebody with a tape measure would know them: their distance is
the sensor's reading in the empty scene. What the build finds and the sensor sees too is compared:
its distance along the floor by foot and scene depth, against that of its lower half by the sensor.
The floor itself is a plane through the sensor's readings.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import numpy.typing as npt

import edge
from edge.benchmarks.measuring.machine import machine
from edge.calibrate.pipeline import BuildRequest, build
from edge.errors import EdgeError
from edge.progress import note
from edge.samples.image_file import read_image, read_stored
from edge.samples.rgbd import BG, BG_DEPTH, DEPTH, MASK, RGB
from edge.things.find import find_things
from edge.things.ground import Ground, ground_of
from edge.things.metres import KnownHeight, KnownPoint, Metres, calibrate
from edge.things.thing import Thing

Floats = npt.NDArray[np.float64]
FOCAL = 525 / 640
"""Focal length of the sensors (Kinect, Xtion), as a share of the width."""
FOV = float(np.degrees(2 * np.arctan(0.5 / FOCAL)))
LARGE = 0.004
"""Share of the frame from which a thing is compared."""
SEEN = 0.3
"""Share of a thing that the sensor must see as foreground."""
CLOSE = 0.15
HEADER = """\
| camera | things | with a foot | median error | within 15 % | worst | floor alone | depth alone \
| one known height |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


@dataclass(frozen=True)
class Place:
    """A camera: two points on its floor as shares of width and height, and a frame in which
    somebody stands upright and is seen whole."""

    points: tuple[tuple[float, float], tuple[float, float]]
    upright: int


CLASS = ((0.2, 0.86), (0.27, 0.42))
ROOM = ((0.5, 0.93), (0.45, 0.64))
CAMERAS = {
    "ist_class_one": Place(CLASS, 9),
    "ist_class_queue": Place(CLASS, 26),
    "ist_class_crowd": Place(CLASS, 23),
    "ist_lab1_cam1": Place(((0.2, 0.93), (0.22, 0.75)), 5),
    "ist_lab2_cam1": Place(((0.12, 0.93), (0.22, 0.75)), 6),
    "ist_lab2_cam2": Place(((0.58, 0.95), (0.62, 0.8)), 3),
    "fall_room_a": Place(ROOM, 4),
    "fall_room_b": Place(ROOM, 38),
    "urfd_office": Place(((0.5, 0.95), (0.6, 0.74)), 2),
}


@dataclass(frozen=True)
class Floor:
    """The floor by the sensor: down * p = height for the points p of the floor."""

    down: Floats
    height: float

    def distances(self, points: Floats) -> Floats:
        """Metres along the floor from the spot below the camera, of points [N, 3]."""
        along = points - np.outer(points @ self.down, self.down)
        return np.asarray(np.linalg.norm(along, axis=1))


def positions(depth: Floats) -> Floats:
    """The sensor's readings in metres [H, W] as points to the right, down and ahead, [H, W, 3]."""
    height, width = depth.shape
    rows, columns = np.mgrid[:height, :width]
    focal = FOCAL * width
    x, y = (columns + 0.5 - width / 2) / focal, (rows + 0.5 - height / 2) / focal
    return np.stack([x * depth, y * depth, depth], -1)


def find_floor(depth: Floats) -> Floor:
    """The plane with the most readings in the lower half that has nothing below it (RANSAC)."""
    lower = positions(depth)[depth.shape[0] * 9 // 20 :].reshape(-1, 3)
    points = lower[lower[:, 2] > 0]
    rng, most, found = np.random.default_rng(0), 0, Floor(np.array([0.0, 1, 0]), 1.0)
    for _ in range(1000):
        first, second, third = points[rng.choice(len(points), 3, replace=False)]
        down: npt.NDArray[np.float64] = np.cross(second - first, third - first)
        length = np.linalg.norm(down)
        if length < 1e-3:
            continue
        down = down / length * (1 if down[1] > 0 else -1)
        height = float(down @ first)
        if down[1] < 0.7 or height < 0.3:
            continue
        off = points @ down - height
        on = int(np.count_nonzero(np.abs(off) < 0.02 * points[:, 2]))
        if on > most and np.mean(off > 0.1) < 0.03:
            most, found = on, Floor(down, height)
    near = points[np.abs(points @ found.down - found.height) < 0.02 * points[:, 2]]
    normal = np.linalg.lstsq(near, np.ones(len(near)), rcond=None)[0]
    height = 1 / float(np.linalg.norm(normal))
    return Floor(np.asarray(normal * height, np.float64), height)


def read_depth(path: Path) -> Floats:
    """A depth map in metres, 0 where there is no reading."""
    return np.asarray(read_stored(path), np.float64) / 1000


def true_distance(thing: Thing, depth: Floats, mask: npt.NDArray[np.uint8], floor: Floor) -> float:
    """The distance of a thing's lower half by the sensor; NaN where the sensor does not see it."""
    inside = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(inside, [thing.outline], -1, 1, cv2.FILLED)
    seen = (inside > 0) & (mask > 127) & (depth > 0)
    if seen.sum() < SEEN * inside.sum():
        return float("nan")
    lower = seen.copy()
    lower[: thing.box[1] + thing.box[3] // 2] = False
    if lower.sum() < SEEN * seen.sum() / 2:
        lower = seen
    return float(np.median(floor.distances(positions(depth)[lower])))


def known_points(place: Place, empty: Floats, floor: Floor, ground: Ground) -> list[KnownPoint]:
    """The two points, with the sensor's reading of the empty scene around them."""
    height, width = empty.shape
    known = []
    for across, down in place.points:
        x, y = across * width, down * height
        around = empty[int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4]
        reading = np.median(around[around > 0])
        point = positions(np.full_like(empty, reading))[int(y), int(x)]
        rows, columns = ground.size
        depth = ground.depth_at(across * columns, down * rows)
        known.append(KnownPoint(x, y, float(floor.distances(point[None])[0]), depth))
    return known


def known_height(
    thing: Thing, depth: Floats, mask: npt.NDArray[np.uint8], floor: Floor
) -> KnownHeight:
    """Somebody upright, and the height of the highest point that the sensor sees of him."""
    left, top, wide, tall = thing.box
    within = np.s_[top : top + tall, left : left + wide]
    seen = (depth[within] > 0) & (mask[within] > 127)
    above = floor.height - positions(depth)[within][seen] @ floor.down
    assert thing.foot is not None
    x, y = thing.foot
    return KnownHeight(x, y, top, float(np.percentile(above, 99)), thing.ground_depth)


def measure(h: edge.Handle, folder: Path, place: Place) -> tuple[int, Floats]:
    """Compare the things of one camera.

    Returns:
        How many there are; of those with a foot the relative errors by both, floor, depth, and
        one known height, [N, 4].
    """
    bg, empty = read_image(folder / BG), read_depth(folder / BG_DEPTH)
    fitted = edge.fit(h, bg)
    edge.set_background(h, fitted)
    ground, floor = ground_of(h, fitted), find_floor(empty)
    size = bg.shape[0], bg.shape[1]
    metres = calibrate(known_points(place, empty, floor, ground), [], size, FOV)
    models: list[Metres | None] = [
        metres,
        replace(metres, depth_share=0.0),
        replace(metres, depth_share=1.0),
        None,
    ]
    found: list[tuple[float, Thing]] = []
    for number, frame in enumerate(sorted((folder / RGB).iterdir())):
        mask, own = edge.infer(h, edge.fit(h, read_image(frame)))
        assert mask is not None
        depth = read_depth(folder / DEPTH / f"{frame.stem}.png")
        truth = np.asarray(read_stored(folder / MASK / f"{frame.stem}.png"), np.uint8)
        things = [t for t in find_things(mask, own, size, ground) if t.area >= LARGE]
        whole = [thing for thing in things if thing.foot is not None]
        if number == place.upright and whole:
            models[3] = calibrate([], [known_height(whole[0], depth, truth, floor)], size, FOV)
        compared = [(true_distance(thing, depth, truth, floor), thing) for thing in things]
        found += [(true, thing) for true, thing in compared if np.isfinite(true)]
    errors = []
    for true, thing in found:
        if thing.foot is not None:
            foot, depth_there = thing.foot, thing.ground_depth
            distances = [m.distance(foot, depth_there) if m else None for m in models]
            errors.append([abs(d / true - 1) if d is not None else np.nan for d in distances])
    return len(found), np.array(errors, np.float64).reshape(-1, 4)


def row(name: str, things: int, errors: Floats) -> str:
    """A row of the table."""
    if not len(errors):
        return f"| {name} | {things} | 0 | - | - | - | - | - | - |"
    both = errors[:, 0]
    floor, depth, height = (_median(each) for each in errors[:, 1:].T)
    close = _percent(float(np.mean(both <= CLOSE)))
    return (
        f"| {name} | {things} | {len(errors)} | {_median(both)} | {close}"
        f" | {_percent(float(both.max()))} | {floor} | {depth} | {height} |"
    )


def _median(errors: Floats) -> str:
    known = errors[~np.isnan(errors)]
    return _percent(float(np.median(known))) if len(known) else "-"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def main(words: Sequence[str]) -> int:
    parser = ArgumentParser("make distances", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of RGB-D cameras")
    parser.add_argument("--network", default="small", help="bundled network, built in int8")
    parser.add_argument("--build", type=Path, help="build folder instead")
    given = parser.parse_args(words)
    try:
        with TemporaryDirectory() as scratch:
            place = given.build
            if place is None:
                place = Path(scratch) / given.network
                build(BuildRequest(network=given.network), place)
            with edge.open(place) as h:
                print(f"{h.manifest.name}, {machine().processor}\n\n{HEADER}")
                things, errors = 0, []
                for name, each in CAMERAS.items():
                    if not (given.data / name / BG_DEPTH).is_file():
                        note(f"{given.data / name} is not there and is left out")
                        continue
                    count, of_camera = measure(h, given.data / name, each)
                    print(row(name, count, of_camera), flush=True)
                    things += count
                    errors.append(of_camera)
                if not errors:
                    raise EdgeError(
                        f"no camera of {', '.join(CAMERAS)} in {given.data}", "name their folder"
                    )
                print(row("**all**", things, np.concatenate(errors)))
    except EdgeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
