"""Metres of a scene from what somebody knows of it: points with the depth of the scene there."""

from __future__ import annotations

from collections.abc import Sequence

from edge.errors import Untrustworthy, UsageError
from edge.things.ground import Ground
from edge.things.metres import FOV, KnownHeight, KnownPoint, Metres, calibrate

LARGEST_ERROR = 0.25
"""Median error at points that were held back from which a calibration is not to be trusted."""
LARGEST_DEVIATION = 3.3
"""Of a camera from usual ones where no further point confirms it; 3: it looks straight down."""


def calibrate_scene(
    points: Sequence[tuple[float, float, float]],
    heights: Sequence[tuple[float, float, float, float]],
    size: tuple[int, int],
    ground: Ground,
    fov: float = FOV,
    network: str = "",
) -> tuple[Metres, list[KnownPoint]]:
    """Fit the metres of a scene.

    Args:
        points: on the floor: x and y in pixels of the frame, and metres along the floor from the
            spot below the camera.
        heights: of upright things: x, row of the foot, row of the head, metres.
        size: height and width of the frame.
        ground: of the scene.
        fov: horizontal field of view in degrees.
        network: sha256 of the network that gave the ground's depth.

    Returns:
        The metres, and the points with their depth.

    Raises:
        UsageError: a point is outside the frame, too little is known, or it contradicts itself.
        Untrustworthy: points that were held back are too far off, or there are too few to hold one
            back and the camera would be an unusual one.
    """
    known = [KnownPoint(x, y, metres, _depth(x, y, size, ground)) for x, y, metres in points]
    upright = [
        KnownHeight(x, foot, head, metres, _depth(x, foot, size, ground))
        for x, foot, head, metres in heights
    ]
    metres = calibrate(known, upright, size, fov, network)
    if metres.error is not None and metres.error > LARGEST_ERROR:
        raise Untrustworthy(
            f"points that were held back are {100 * metres.error:.0f} % off in the median, expected"
            f" at most {100 * LARGEST_ERROR:.0f} %; nothing was written",
            "measure the points again, along the floor from the spot below the camera",
        )
    if metres.error is None and metres.deviation > LARGEST_DEVIATION:
        raise Untrustworthy(
            f"these points mean an unusual {camera_of(metres)}; nothing was written",
            "measure the points again, or give a third one that confirms it",
        )
    return metres, known


def camera_of(metres: Metres) -> str:
    """Where the camera is, in words."""
    return (
        f"camera {metres.height:.2f} m above the floor, {metres.pitch:.0f} degrees down,"
        f" rolled by {metres.roll:.0f} degrees"
    )


def _depth(x: float, y: float, size: tuple[int, int], ground: Ground) -> float | None:
    """The scene's depth at a point of the frame."""
    if not (0 <= x < size[1] and 0 <= y < size[0]):
        raise UsageError(f"{x:g},{y:g} is outside the frame of {size[1]}x{size[0]}")
    rows, columns = ground.size
    return ground.depth_at(x * columns / size[1], y * rows / size[0])
