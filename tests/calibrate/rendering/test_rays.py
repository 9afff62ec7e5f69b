"""Rays against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from edge.calibrate.rendering.rays import Box, Ellipsoid, PinholeCamera, Plane, limb, vector

ORIGIN = vector(0, 2, 0)


def test_plane() -> None:
    down = vector(0, -1, 1)[None]
    distance, normal = Plane(vector(0, 1, 0), 0.0).hit(ORIGIN, down)
    assert distance[0] == pytest.approx(2.0)  # 2 m high, 45 degrees: depth 2
    assert normal[0].tolist() == [0, 1, 0]
    assert np.isinf(Plane(vector(0, 1, 0), 0.0).hit(ORIGIN, -down)[0][0])


def test_box_and_a_turned_box() -> None:
    ahead = vector(0, 0, 1)[None]
    box = Box(vector(0, 1.5, 5), vector(1, 1, 2))
    distance, normal = box.hit(ORIGIN, ahead)
    assert distance[0] == pytest.approx(4.0)
    assert normal[0] == pytest.approx([0, 0, -1])
    turned = Box(vector(0, 1.5, 5), vector(1, 1, 2), np.pi / 2)
    assert turned.hit(ORIGIN, ahead)[0][0] == pytest.approx(4.5)
    assert np.isinf(box.hit(ORIGIN, vector(1, 0, 0)[None])[0][0])


def test_box_corners_are_on_the_box() -> None:
    box = Box(vector(1, 0, 4), vector(0.6, 2, 0.4), 0.7)
    local = box.local(box.corners())
    assert np.abs(local[:, 0]) == pytest.approx(0.3, abs=1e-5)
    assert set(np.round(local[:, 1], 4)) == {0.0, 2.0}


def test_sphere() -> None:
    ball = Ellipsoid(vector(0, 2, 5), np.eye(3, dtype=np.float32) / 0.5)
    distance, normal = ball.hit(ORIGIN, vector(0, 0, 1)[None])
    assert distance[0] == pytest.approx(4.5)
    assert normal[0] == pytest.approx([0, 0, -1], abs=1e-5)
    grazing = vector(0, 0.49, np.sqrt(25 - 0.49**2))[None] / 5
    assert np.isfinite(ball.hit(ORIGIN, grazing.astype(np.float32))[0][0])


def test_a_limb_reaches_beyond_both_ends() -> None:
    arm = limb(vector(0, 1, 4), vector(0, 3, 4), 0.1)
    for height in (0.99, 2.0, 3.01):
        origin = vector(0, height, 0)
        assert np.isfinite(arm.hit(origin, vector(0, 0, 1)[None])[0][0])
    assert np.isinf(arm.hit(vector(0.2, 2, 0), vector(0, 0, 1)[None])[0][0])


def test_projection_undoes_the_rays() -> None:
    camera = PinholeCamera(vector(0.5, 3, 0.2), pitch=0.5, yaw=-0.2, field_of_view=0.9)
    rays = camera.rays(60, 80)
    points = camera.position + 7 * rays[[3, 50], [70, 11]]
    pixels = camera.project(points.astype(np.float32), 60, 80)
    assert pixels == pytest.approx(np.array([[70.5, 3.5], [11.5, 50.5]]), abs=1e-3)


def test_distance_along_a_ray_is_depth() -> None:
    camera = PinholeCamera(vector(0, 2, 0), pitch=0.0, yaw=0.0, field_of_view=1.0)
    distance, _ = Plane(vector(0, 0, -1), -6.0).hit(camera.position, camera.rays(40, 40))
    assert distance == pytest.approx(6.0, rel=1e-5)


@pytest.mark.parametrize("away", [3.0, 150.0])
@pytest.mark.parametrize(
    "solid",
    [
        limb(vector(0.2, 1.4, 5), vector(0.3, 0.8, 5.2), 0.05),
        Box(vector(0.5, 0.2, 5), vector(0.4, 0.9, 0.2), 0.7),
    ],
)
def test_rays_that_may_meet_a_ball_are_all_that_hit_and_few_others(
    solid: Box | Ellipsoid, away: float, rng: np.random.Generator
) -> None:
    """To a lamp of a room, and to the sun."""
    end = np.asarray(solid.ball.centre + vector(0.4, 1, -0.3) * np.float32(away), np.float32)
    start = np.asarray(solid.ball.centre + rng.uniform(-1.5, 1.5, (50_000, 3)), np.float32)
    towards = end - start
    hits = np.isfinite(solid.hit(start, towards)[0])
    length = np.linalg.norm(towards.astype(np.float64), axis=1, keepdims=True)
    near = solid.ball.may_meet(end, towards / length)
    assert hits.sum() > 20
    assert not (hits & ~near).any()
    assert near.mean() < 0.5
