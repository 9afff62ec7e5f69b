"""Metres on the ground of a scene, from foot points and the scene's depth.

Two models of one distance are blended. The camera over a flat floor: a pinhole of known field of
view at some height, pitch and roll. The scene's depth: the logarithm of the distance is affine in
that of the relative inverse depth. The floor is exact where it is flat; the depth also knows steps
and what stands on the floor.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge import strict_json
from edge.errors import EdgeError, UsageError
from edge.files import atomic_write

Floats = npt.NDArray[np.float64]

SCHEMA = 1
FOV = 60.0
"""Usual horizontal field of view of a camera, in degrees."""
SURE = 0.05
"""Relative error of a distance or height that somebody measured and clicked."""
HEIGHT_M, HEIGHT_SPREAD = 2.5, 0.6
"""Usual height of a camera, and how far the logarithm of another one's is from it."""
PITCH, PITCH_SPREAD, ROLL_SPREAD = math.radians(20), math.radians(20), math.radians(5)
SLOPE, SLOPE_SPREAD = -0.7, 0.2
"""Usual slope of the logarithm of distance over that of depth: .5 to .9 was measured."""
FLATTEST = -0.2
"""What is nearer has the larger depth, whatever the points say."""
STEEPEST = math.radians(80)
"""Largest pitch and roll of a camera."""
LEAST_DEPTH = 0.01
MISFIT = 0.25
"""Relative error of both models at the known points from which they are wrong."""


@dataclass(frozen=True)
class KnownPoint:
    """A point on the floor, in pixels of the frame, and its distance.

    Attributes:
        x, y: of the frame, from the upper left corner.
        metres: along the floor from the spot below the camera.
        depth: the scene's depth there, 0..1; None where the build has none.
    """

    x: float
    y: float
    metres: float
    depth: float | None = None


@dataclass(frozen=True)
class KnownHeight:
    """Something upright of known height.

    Attributes:
        x, foot_y: where it stands on the floor, in pixels of the frame.
        head_y: row of its upper end.
        metres: its height.
        depth: the scene's depth at its foot.
    """

    x: float
    foot_y: float
    head_y: float
    metres: float
    depth: float | None = None


@dataclass(frozen=True)
class Metres:
    """What turns a foot into metres on the ground of one scene.

    Attributes:
        size: height and width of the frame.
        fov: horizontal field of view in degrees.
        height: of the camera above the floor, in metres.
        pitch: of the camera, in degrees below the horizon.
        roll: of the camera, in degrees; the floor falls to the right where it is positive.
        offset, slope: log(metres) = offset + slope * log(depth).
        depth_share: of the distance by depth in the blend, 0 to 1.
        error: median relative error at points that were held back, 0.1 is 10 %; None where there
            were too few.
        worst_error: the largest of them.
        network: sha256 of the network that gave the depth.
    """

    size: tuple[int, int]
    fov: float
    height: float
    pitch: float
    roll: float
    offset: float
    slope: float
    depth_share: float
    error: float | None = None
    worst_error: float | None = None
    network: str = ""

    def position(
        self, foot: tuple[float, float], ground_depth: float | None
    ) -> tuple[float, float] | None:
        """Where something stands.

        Args:
            foot: x and y in pixels of the frame.
            ground_depth: the scene's depth there, or None.

        Returns:
            Metres to the right of the camera and away from it; None where neither the floor nor
            the depth says it, as for a foot above the horizon.
        """
        camera = np.array(
            [[math.log(self.height), math.radians(self.pitch), math.radians(self.roll)]]
        )
        right, away, below = (
            float(each[0, 0]) for each in _on_floor(camera, np.array([foot]), self.size, self.fov)
        )
        length = math.hypot(right, away)
        distance = length / below if below > 1e-3 else None
        if ground_depth is not None and self.depth_share > 0:
            by_depth = math.exp(self.offset + self.slope * math.log(max(ground_depth, LEAST_DEPTH)))
            if distance is None:
                distance = by_depth
            else:
                distance = distance ** (1 - self.depth_share) * by_depth**self.depth_share
        if distance is None or length < 1e-9:
            return None
        return distance * right / length, distance * away / length

    def distance(self, foot: tuple[float, float], ground_depth: float | None) -> float | None:
        """Metres along the floor from the spot below the camera."""
        place = self.position(foot, ground_depth)
        return None if place is None else math.hypot(*place)

    @property
    def deviation(self) -> float:
        """How far the camera is from a usual one, in standard deviations."""
        camera = [math.log(self.height), math.radians(self.pitch), math.radians(self.roll)]
        return float(np.linalg.norm(_unusual(np.array(camera))))

    def check(self, size: tuple[int, int], network: str) -> None:
        """Raise EdgeError unless it is of frames of that (height, width) and of that network."""
        hint = "calibrate the scene again with this build: edge calibrate-scene"
        if size != self.size:
            given, expected = (f"{width}x{height}" for height, width in (size, self.size))
            raise EdgeError(f"the frames are {given}, the scene was calibrated at {expected}", hint)
        if self.network and self.depth_share > 0 and network != self.network:
            raise EdgeError("the scene was calibrated with the depth of another network", hint)

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        text = json.dumps({"schema": SCHEMA, **asdict(self)}, indent=2)
        with atomic_write(path) as draft:
            draft.write_text(text + "\n", "utf-8")


def read_metres(path: Path) -> Metres:
    """Read what `Metres.write` wrote.

    Raises:
        EdgeError: The file is absent or not what `edge calibrate-scene` writes.
    """
    hint = "edge calibrate-scene makes it"
    try:
        stored = strict_json.parse(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise EdgeError(f"{path} cannot be read as a scene's calibration: {error}", hint) from error
    if not isinstance(stored, dict) or stored.pop("schema", None) != SCHEMA:
        raise EdgeError(f"{path} is no scene's calibration of schema {SCHEMA}", hint)
    try:
        metres = Metres(**{**stored, "size": tuple(stored["size"])})
        numbers = [*metres.size, metres.fov, metres.height, metres.pitch, metres.roll]
        numbers += [metres.offset, metres.slope, metres.depth_share]
        sound = len(metres.size) == 2 and all(math.isfinite(number) for number in numbers)
    except (KeyError, TypeError, OverflowError) as error:
        raise EdgeError(f"{path} is no scene's calibration: {error}", hint) from error
    if not sound or min(metres.size) < 1 or metres.height <= 0 or not 0 < metres.fov < 180:
        raise EdgeError(f"{path} holds numbers that no scene has", hint)
    return metres


def calibrate(
    points: Sequence[KnownPoint],
    heights: Sequence[KnownHeight],
    size: tuple[int, int],
    fov: float = FOV,
    network: str = "",
) -> Metres:
    """Fit the metres of a scene to what is known of it.

    Args:
        points: two or more, or fewer with a height.
        heights: of upright things.
        size: height and width of the frame.
        fov: horizontal field of view in degrees.
        network: sha256 of the network that gave the depths.

    Raises:
        UsageError: Too little is known, or it contradicts itself.
    """
    if len(points) + 2 * len(heights) < 2:
        raise UsageError(
            f"{len(points)} known points, expected two or more, or a known height",
            "give each as --point X,Y,METRES or --height X,Y_FOOT,Y_HEAD,METRES",
        )
    camera, line = _fit(points, heights, size, fov)
    floor, depth = (np.log(_estimates(points, camera, line, size, fov)) - _logs(points)).T
    held: list[tuple[float, float]] = []
    if len(points) + len(heights) >= 3 and len(points) >= 2:
        for index, point in enumerate(points):
            others = [*points[:index], *points[index + 1 :]]
            estimates = _estimates([point], *_fit(others, heights, size, fov), size, fov)
            held.append(tuple((np.log(estimates[0]) - math.log(point.metres)).tolist()))
    errors = np.array(held or list(zip(floor, depth, strict=True)) or [(0.0, 0.0)], np.float64)
    variances = SURE**2 + np.square(errors).mean(0)
    share = float(variances[0] / variances.sum())
    if None in [p.depth for p in points] + [h.depth for h in heights]:
        share = 0.0
    _check_fit(points, (1 - share) * floor + share * depth)
    _check_camera(camera)
    blended = np.abs(np.expm1(errors @ (1 - share, share)))
    return Metres(
        size=size,
        fov=fov,
        height=math.exp(camera[0]),
        pitch=math.degrees(camera[1]),
        roll=math.degrees(camera[2]),
        offset=line[0],
        slope=line[1],
        depth_share=share,
        error=float(np.median(blended)) if held else None,
        worst_error=float(blended.max()) if held else None,
        network=network,
    )


def _check_fit(points: Sequence[KnownPoint], errors: Floats) -> None:
    wrong = np.abs(np.expm1(errors))
    if not points or wrong.max() <= MISFIT:
        return
    point = points[int(wrong.argmax())]
    raise UsageError(
        f"no camera over a flat floor sees these points: {point.metres:g} m at"
        f" {point.x:g},{point.y:g} is {100 * wrong.max():.0f} % off, expected at most"
        f" {100 * MISFIT:.0f} %",
        "check that all are on the floor, in pixels of the frame, and that METRES are along the"
        " floor from the spot below the camera",
    )


def _check_camera(camera: Floats) -> None:
    steepest = float(np.abs(camera[1:]).max())
    if steepest > STEEPEST + SURE:
        raise UsageError(
            f"only a camera tilted by {math.degrees(steepest):.0f} degrees sees these points so,"
            f" expected at most {math.degrees(STEEPEST):.0f}",
            "check which point is the nearer one: METRES are along the floor from the spot below"
            " the camera",
        )


def _logs(points: Sequence[KnownPoint]) -> Floats:
    """The logarithms of the known distances, [N, 1]."""
    return np.log(np.array([point.metres for point in points], np.float64)).reshape(-1, 1)


def _estimates(
    points: Sequence[KnownPoint],
    camera: Floats,
    line: tuple[float, float],
    size: tuple[int, int],
    fov: float,
) -> Floats:
    """The distances of points by the floor and by depth, float64 [N, 2]; at most a kilometre."""
    places = np.array([(point.x, point.y) for point in points], np.float64).reshape(-1, 2)
    right, away, below = (each[0] for each in _on_floor(camera[None], places, size, fov))
    floor = np.hypot(right, away) / np.maximum(below, 1e-3)
    depths = [max(point.depth or 0.0, LEAST_DEPTH) for point in points]
    return np.stack([floor, np.exp(line[0] + line[1] * np.log(depths))], 1).clip(1e-3, 1e3)


def _fit(
    points: Sequence[KnownPoint],
    heights: Sequence[KnownHeight],
    size: tuple[int, int],
    fov: float,
) -> tuple[Floats, tuple[float, float]]:
    """The camera (log of its height, pitch, roll), and offset and slope of the depth."""

    def residuals(cameras: Floats) -> Floats:
        return _residuals(cameras, points, heights, size, fov)

    tall, steep = np.meshgrid(np.log(np.geomspace(0.4, 15, 40)), np.radians(np.arange(-15, 80, 2)))
    cameras = np.stack([tall.ravel(), steep.ravel(), np.zeros(tall.size)], 1)
    camera = cameras[np.square(residuals(cameras)).sum(1).argmin()]
    damping, now = 1e-2, residuals(camera[None])[0]
    for _ in range(60):  # Levenberg-Marquardt
        slopes = (residuals(camera + 1e-5 * np.eye(3)) - now) / 1e-5
        normal = slopes @ slopes.T
        step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), -slopes @ now)
        then = residuals((camera + step)[None])[0]
        if then @ then < now @ now:
            camera, now, damping = camera + step, then, damping / 3
            if np.abs(step).max() < 1e-7:
                break
        else:
            damping *= 4
    feet = [KnownPoint(each.x, each.foot_y, 1.0, each.depth) for each in heights]
    implied = _estimates(feet, camera, (0.0, 0.0), size, fov)[:, 0]
    distances = np.log([*(point.metres for point in points), *implied])
    depths = np.log([max(each.depth or 0.0, LEAST_DEPTH) for each in (*points, *feet)])
    around = depths - depths.mean()
    prior = (SURE / SLOPE_SPREAD) ** 2
    slope = float((around @ distances + prior * SLOPE) / (around @ around + prior))
    slope = min(slope, FLATTEST)
    return camera, (float(distances.mean() - slope * depths.mean()), slope)


def _unusual(cameras: Floats) -> Floats:
    """How far cameras [..., 3] of log(height), pitch and roll are from usual ones, in standard
    deviations."""
    usual = np.array([math.log(HEIGHT_M), PITCH, 0.0])
    return np.asarray((cameras - usual) / (HEIGHT_SPREAD, PITCH_SPREAD, ROLL_SPREAD))


def _residuals(
    cameras: Floats,
    points: Sequence[KnownPoint],
    heights: Sequence[KnownHeight],
    size: tuple[int, int],
    fov: float,
) -> Floats:
    """How far cameras are from what is known and usual, in standard deviations, [K, N + 3]."""
    columns = [_unusual(cameras)]
    columns.append(np.maximum(np.abs(cameras[:, 1:]) - STEEPEST, 0.0) / SURE)
    if points:
        places = np.array([(point.x, point.y) for point in points])
        right, away, below = _on_floor(cameras, places, size, fov)
        floor = np.hypot(right, away) / np.maximum(below, 1e-3)
        # What is beyond the spot below the camera is not ahead of it.
        behind = np.maximum(-away, 0.0) / SURE
        columns.append((np.log(floor) - _logs(points).T) / SURE + behind)
    for known in heights:
        seen = known.foot_y - known.head_y
        head = _row_above(cameras, known, size, fov)
        columns.append(np.log(np.maximum(known.foot_y - head, 1.0) / seen) / SURE)
    return np.concatenate(columns, 1)


def _down(cameras: Floats) -> Floats:
    """The direction down in coordinates of the camera (right, down, ahead), [K, 3]."""
    pitch, roll = cameras[:, 1], cameras[:, 2]
    level = np.cos(pitch)
    return np.stack([np.sin(roll) * level, np.cos(roll) * level, np.sin(pitch)], 1)


def _rays(places: Floats, size: tuple[int, int], fov: float) -> Floats:
    """The directions of pixels in coordinates of the camera, [N, 3]."""
    focal = size[1] / 2 / math.tan(math.radians(fov) / 2)
    x, y = (places - (size[1] / 2, size[0] / 2)).T / focal
    return np.stack([x, y, np.ones_like(x)], 1)


def _on_floor(
    cameras: Floats, places: Floats, size: tuple[int, int], fov: float
) -> tuple[Floats, Floats, Floats]:
    """Where rays go.

    Returns:
        How far to the right and away, in metres where a third is 1, each [K, N]; that third is how
        far down they go as a share of the camera's height, at most 0 above the horizon.
    """
    down, rays = _down(cameras), _rays(places, size, fov)
    ahead = np.array([0.0, 0.0, 1.0]) - down[:, 2:] * down
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
    right = np.cross(down, ahead)
    return right @ rays.T, ahead @ rays.T, down @ rays.T / np.exp(cameras[:, :1])


def _row_above(cameras: Floats, known: KnownHeight, size: tuple[int, int], fov: float) -> Floats:
    """The row of the upper end of something upright, [K, 1]."""
    down = _down(cameras)
    ray = _rays(np.array([(known.x, known.foot_y)]), size, fov)[0]
    below = np.maximum(down @ ray / np.exp(cameras[:, 0]), 1e-3)
    end = ray / below[:, None] - known.metres * down
    focal = size[1] / 2 / math.tan(math.radians(fov) / 2)
    return np.asarray(size[0] / 2 + focal * end[:, 1:2] / np.maximum(end[:, 2:], 1e-3))
