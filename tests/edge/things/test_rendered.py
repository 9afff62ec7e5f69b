"""Feet, ground depth and metres in rendered scenes, whose depth and floor are exact."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from edge.calibrate.rendering.scene import RenderedScene
from edge.samples.sample import FOREGROUND
from edge.things.find import find_things
from edge.things.ground import Ground
from edge.things.metres import KnownPoint, calibrate

SIZE = (120, 160)


@lru_cache
def scene_of(kind: str, seed: int) -> tuple[RenderedScene, Ground, float]:
    """A scene, its ground with the exact depth, and the inverse depth that is 1."""
    scene = RenderedScene(kind, seed, SIZE)
    empty = scene.background()
    nearest = float(empty.inverse_depth.max())
    return scene, Ground(empty.image, empty.inverse_depth / np.float32(nearest)), nearest


@pytest.mark.parametrize("kind", ["yard", "corridor"])
def test_the_ground_depth_of_what_stands_on_the_floor_is_its_own(kind: str) -> None:
    scene, ground, nearest = scene_of(kind, 1)
    ratios, things = [], 0
    for second in range(0, 36, 3):
        frame = scene.frame(second)
        mask = (frame.mask == FOREGROUND).astype(np.float32)
        for thing in find_things(mask, None, SIZE, ground, smallest=3e-3):
            things += 1
            if thing.foot is None:
                continue
            assert thing.ground_depth is not None
            left, top, wide, tall = thing.box
            lowest = np.s_[top + tall - 2 : top + tall, left : left + wide]
            own = frame.inverse_depth[lowest][frame.mask[lowest] == FOREGROUND].max() / nearest
            ratios.append(thing.ground_depth / own)
    assert len(ratios) >= max(6, things // 3)
    assert np.median(np.abs(np.log(ratios))) < 0.08


@pytest.mark.parametrize(("kind", "seed"), [("yard", 1), ("yard", 2), ("corridor", 1)])
def test_metres_on_the_floor_are_right_from_three_points(kind: str, seed: int) -> None:
    scene, ground, _ = scene_of(kind, seed)
    camera = scene._layout.camera
    across = 2 * np.degrees(np.arctan(np.tan(camera.field_of_view / 2) * SIZE[1] / SIZE[0]))
    points = scene._empty.points.reshape(2 * SIZE[0], 2 * SIZE[1], 3)[::2, ::2]
    distance = np.hypot(*(points - camera.position)[..., [0, 2]].transpose(2, 0, 1))
    rows, columns = np.nonzero((np.abs(points[..., 1]) < 0.01) & (distance < 12))
    order = np.argsort(distance[rows, columns])
    chosen = [order[round(share * (len(order) - 1))] for share in (0.1, 0.5, 0.9)]
    known = [
        KnownPoint(c + 0.5, r + 0.5, float(distance[r, c]), ground.depth_at(c, r))
        for r, c in ((int(rows[i]), int(columns[i])) for i in chosen)
    ]
    metres = calibrate(known, [], SIZE, across)
    assert metres.height == pytest.approx(abs(float(camera.position[1])), rel=0.1)
    errors = [
        (metres.distance((c + 0.5, r + 0.5), ground.depth_at(c, r)) or np.inf) / distance[r, c] - 1
        for r, c in zip(rows[::37].tolist(), columns[::37].tolist(), strict=True)
    ]
    assert np.median(np.abs(errors)) < 0.05
    assert np.quantile(np.abs(errors), 0.95) < 0.15
