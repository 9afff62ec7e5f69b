"""Metres on the ground, against cameras whose geometry is known."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.errors import EdgeError, UsageError
from edge.things.metres import KnownHeight, KnownPoint, Metres, calibrate, read_metres

SIZE = (480, 640)
SPOTS = [(0.0, 2.5), (0.5, 4.0), (-1.0, 6.0), (1.5, 5.0), (-0.5, 3.0), (2.0, 9.0)]


class Camera:
    """A pinhole; written down apart from the code that is tested, by rotating points."""

    def __init__(self, height: float, pitch: float, roll: float, fov: float = 60) -> None:
        self.height = height
        self.focal = SIZE[1] / 2 / math.tan(math.radians(fov) / 2)
        p, r = math.radians(pitch), math.radians(roll)
        tilt = np.array([[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]])
        turn = np.array([[math.cos(r), math.sin(r), 0], [-math.sin(r), math.cos(r), 0], [0, 0, 1]])
        self.rotation = turn @ tilt

    def pixel(self, right: float, away: float, above: float = 0.0) -> tuple[float, float, float]:
        """x, y and the distance ahead of a point of the world."""
        x, y, z = self.rotation @ (right, self.height - above, away)
        return SIZE[1] / 2 + self.focal * x / z, SIZE[0] / 2 + self.focal * y / z, float(z)

    def point(self, right: float, away: float) -> KnownPoint:
        """A known point; its depth is affine in log over distance."""
        x, y, _ = self.pixel(right, away)
        return KnownPoint(x, y, math.hypot(right, away), self.depth(right, away))

    @staticmethod
    def depth(right: float, away: float) -> float:
        return float(min(1.0, 0.9 * math.hypot(right, away) ** -1.2))


@pytest.mark.parametrize(
    ("height", "pitch", "roll"), [(2.5, 25, 0), (1.2, 4, 0), (4, 40, 3), (6, 30, -6), (2, 15, 8)]
)
def test_a_camera_is_found_from_points_and_places_on_its_floor_are_right(
    height: float, pitch: float, roll: float
) -> None:
    camera = Camera(height, pitch, roll)
    metres = calibrate([camera.point(*spot) for spot in SPOTS], [], SIZE)
    assert metres.height == pytest.approx(height, rel=0.08)
    assert metres.pitch == pytest.approx(pitch, abs=2)
    assert metres.roll == pytest.approx(roll, abs=2)
    assert metres.error is not None
    assert metres.error < 0.03
    for right, away in [(1.0, 3.5), (-0.8, 7.0)]:
        x, y, _ = camera.pixel(right, away)
        place = metres.position((x, y), camera.depth(right, away))
        assert place == pytest.approx((right, away), rel=0.05, abs=0.15)


@pytest.mark.parametrize(("height", "pitch"), [(2.5, 25), (1.2, 5), (4, 35)])
def test_two_points_are_enough(height: float, pitch: float) -> None:
    camera = Camera(height, pitch, 0)
    metres = calibrate([camera.point(0, 2.5), camera.point(0.5, 6)], [], SIZE)
    assert metres.error is None
    for right, away in [(0.3, 3.0), (-0.5, 4.5), (0.0, 8.0)]:
        x, y, _ = camera.pixel(right, away)
        found = metres.distance((x, y), camera.depth(right, away))
        assert found == pytest.approx(math.hypot(right, away), rel=0.12)


def test_a_known_height_is_enough() -> None:
    camera = Camera(2.5, 22, 0)
    x, foot, _ = camera.pixel(0.2, 4)
    head = camera.pixel(0.2, 4, 1.8)[1]
    known = KnownHeight(x, foot, head, 1.8, camera.depth(0.2, 4))
    metres = calibrate([], [known], SIZE)
    assert metres.distance((x, foot), camera.depth(0.2, 4)) == pytest.approx(4.0, rel=0.1)
    assert metres.error is None


def test_the_error_is_that_of_points_that_were_held_back() -> None:
    camera = Camera(2.5, 25, 0)
    points = [camera.point(*spot) for spot in SPOTS[:4]]
    points[2] = replace(points[2], metres=points[2].metres * 1.3)
    metres = calibrate(points, [], SIZE)
    assert metres.worst_error is not None
    assert 0.12 < metres.worst_error < 0.5
    assert metres.error is not None
    assert metres.error <= metres.worst_error


def test_a_depth_that_does_not_follow_the_floor_is_not_used() -> None:
    camera, rng = Camera(2.5, 25, 0), np.random.default_rng(0)
    points = [replace(camera.point(*s), depth=float(rng.uniform(0.2, 0.9))) for s in SPOTS]
    metres = calibrate(points, [], SIZE)
    assert metres.depth_share < 0.1
    x, y, _ = camera.pixel(0.4, 5)
    assert metres.distance((x, y), 0.9) == pytest.approx(math.hypot(0.4, 5), rel=0.15)


def test_stairs_are_measured_by_depth() -> None:
    camera = Camera(2.5, 25, 0)
    points = []
    for step, (right, away) in enumerate(SPOTS[:5]):
        x, y, _ = camera.pixel(right, away, 0.35 * (step % 3))
        points.append(KnownPoint(x, y, math.hypot(right, away), camera.depth(right, away)))
    metres = calibrate(points, [], SIZE)
    assert metres.depth_share > 0.6


def test_without_depth_the_floor_is_used_and_above_the_horizon_depth() -> None:
    camera = Camera(1.5, 10, 0)
    bare = [replace(camera.point(*spot), depth=None) for spot in SPOTS]
    metres = calibrate(bare, [], SIZE)
    assert metres.depth_share == 0
    x, y, _ = camera.pixel(0.5, 4)
    assert metres.position((x, y), None) == pytest.approx((0.5, 4), rel=0.04)
    assert metres.position((320, 5), 0.3) is None
    blended = calibrate([camera.point(*spot) for spot in SPOTS], [], SIZE)
    assert blended.distance((320, 5), camera.depth(0, 6)) == pytest.approx(6, rel=0.05)
    assert blended.distance((320, 5), None) is None


def test_points_that_contradict_each_other_are_refused() -> None:
    near, far = Camera(2.5, 25, 0).point(0, 2.5), Camera(2.5, 25, 0).point(0, 7)
    swapped = [
        replace(near, metres=far.metres, depth=far.depth),
        replace(far, metres=near.metres, depth=far.depth),
    ]
    with pytest.raises(UsageError, match=r"no camera over a flat floor .* off, expected"):
        calibrate(swapped, [], SIZE)
    with pytest.raises(UsageError, match="1 known points, expected two or more"):
        calibrate([near], [], SIZE)


def test_it_is_read_as_it_was_written_and_checked_against_frames(tmp_path: Path) -> None:
    points = [Camera(2.5, 25, 0).point(*spot) for spot in SPOTS]
    metres = calibrate(points, [], SIZE, network="abc")
    metres.write(tmp_path / "scene.json")
    assert read_metres(tmp_path / "scene.json") == metres
    metres.check(SIZE, "abc")
    with pytest.raises(EdgeError, match="frames are 320x240, the scene was calibrated at 640x480"):
        metres.check((240, 320), "abc")
    with pytest.raises(EdgeError, match="another network"):
        metres.check(SIZE, "def")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"schema": 2}',
        '{"schema": 1}',
        '{"schema": 1, "size": [480, 640], "unknown": 1}',
        "\x00\xff",
    ],
)
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    place = tmp_path / "scene.json"
    place.write_text(text, "latin-1")
    with pytest.raises(EdgeError, match="calibrate-scene makes it"):
        read_metres(place)


@pytest.mark.parametrize(
    "wrong", [{"height": 0}, {"fov": 180}, {"size": [480]}, {"slope": float("nan")}, {"pitch": "x"}]
)
def test_numbers_that_no_scene_has_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    place = tmp_path / "scene.json"
    Metres(SIZE, 60, 2.5, 20, 0, 0.1, -0.7, 0.5).write(place)
    place.write_text(json.dumps({**json.loads(place.read_text()), **wrong}))
    with pytest.raises(EdgeError, match="calibrate-scene makes it"):
        read_metres(place)
    with pytest.raises(EdgeError, match="cannot be read"):
        read_metres(tmp_path / "absent.json")


def test_points_in_the_wrong_order_are_no_camera_that_looks_straight_down() -> None:
    """Two points leave room for a camera that is tilted beyond what any is: 9 m near, 2 m far."""
    near, far = KnownPoint(320, 440, 9.0), KnownPoint(320, 160, 2.0)
    with pytest.raises(UsageError, match=r"only a camera tilted by .* expected at most 80; check"):
        calibrate([near, far], [], SIZE)
