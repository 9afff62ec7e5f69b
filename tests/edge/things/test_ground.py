"""Feet of things, against drawn and rendered scenes in which they are known."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from edge.errors import UsageError
from edge.things import ground as module
from edge.things.find import find_things
from edge.things.ground import Ground

SIZE = (224, 224)


def floor() -> tuple[np.ndarray, np.ndarray]:
    """A grey floor with texture and its exact inverse depth below a horizon at row 40."""
    rng = np.random.default_rng(3)
    bg = (120 + rng.normal(0, 12, (*SIZE, 1))).clip(0, 255).astype(np.uint8).repeat(3, 2)
    rows = np.arange(224, dtype=np.float32)[:, None]
    depth = np.clip((rows - 40) / 184, 0.02, 1).repeat(224, 1)
    return bg, depth


def person(left: int, top: int, wide: int, tall: int) -> np.ndarray:
    """A body on two legs, the right one in front."""
    mask = np.zeros(SIZE, np.float32)
    mask[top : top + tall * 2 // 3, left : left + wide] = 1
    mask[top : top + tall - 15, left : left + wide // 3] = 1
    mask[top : top + tall, left + wide - wide // 3 : left + wide] = 1
    return mask


def test_the_foot_is_where_the_mask_meets_the_ground_not_below_the_middle_of_the_box() -> None:
    bg, depth = floor()
    (thing,) = find_things(person(60, 70, 30, 90), None, SIZE, Ground(bg, depth))
    assert thing.foot == (85.0, 160.0)
    assert thing.ground_depth == depth[160, 85]


def test_the_foot_of_something_at_an_angle_is_at_its_lower_end() -> None:
    mask = np.zeros(SIZE, np.float32)
    cv2.line(mask, (60, 60), (120, 150), 1.0, 8)
    (thing,) = find_things(mask, None, (448, 896), Ground(*floor()))
    assert thing.foot is not None
    assert thing.foot[0] == pytest.approx(4 * 120, abs=16)
    assert thing.foot[1] == pytest.approx(2 * 154, abs=4)


@pytest.mark.parametrize(
    ("left", "top"),
    [(60, 135), (60, 133), (-3, 100), (197, 100)],
    ids=["below", "a pixel above the border", "left", "right"],
)
def test_a_foot_that_the_border_cuts_off_is_unknown(left: int, top: int) -> None:
    mask = np.zeros(SIZE, np.float32)
    mask[top : top + 90, max(left, 0) : left + 30] = 1
    (thing,) = find_things(mask, None, SIZE, Ground(*floor()))
    assert thing.foot is None
    assert thing.ground_depth is None


def test_a_head_beyond_the_upper_border_does_not_matter() -> None:
    mask = np.zeros(SIZE, np.float32)
    mask[0:120, 50:80] = 1
    (thing,) = find_things(mask, None, SIZE, Ground(*floor()))
    assert thing.foot == (65.0, 120.0)


def test_a_foot_behind_a_table_is_unknown_and_one_before_it_is_known() -> None:
    bg, depth = floor()
    bg[130:180, 40:160] = 200  # its upper edge is at row 130
    ground = Ground(bg, depth)
    behind = person(60, 50, 36, 120)
    behind[130:180, 40:160] = 0
    assert find_things(behind, None, SIZE, ground)[0].foot is None
    before = find_things(person(60, 100, 36, 110), None, SIZE, ground)[0]
    assert before.foot == (90.0, 210.0)


def test_a_foot_behind_something_of_the_same_colour_is_unknown_by_the_scenes_depth() -> None:
    bg, depth = floor()
    depth[130:180, 40:160] = 1.0
    behind = np.zeros(SIZE, np.float32)
    behind[50:130, 60:96] = 1
    assert find_things(behind, None, SIZE, Ground(bg, depth))[0].foot is None
    assert find_things(behind, None, SIZE, Ground(bg, None))[0].foot == (78.0, 130.0)


def test_lines_on_the_floor_hide_no_feet() -> None:
    bg, depth = floor()
    bg[20:220:24] = bg[21:220:24] = 250
    ground = Ground(bg, depth)
    for top in range(30, 110, 5):
        (thing,) = find_things(person(60, top, 40, 100), None, SIZE, ground)
        assert thing.foot == (93.5, top + 100.0), top


def test_a_scene_without_depth_or_with_unknown_depth_gives_a_foot_without_ground_depth() -> None:
    bg, depth = floor()
    mask = person(60, 70, 30, 90)
    for unknown in (None, np.full_like(depth, np.nan)):
        (thing,) = find_things(mask, None, SIZE, Ground(bg, unknown))
        assert thing.foot == (85.0, 160.0)
        assert thing.ground_depth is None


def test_a_ground_of_another_size_is_refused() -> None:
    with pytest.raises(UsageError, match="the ground is 224x224, the mask 112x112"):
        find_things(np.zeros((112, 112), np.float32), None, SIZE, Ground(*floor()))


def test_small_masks_work() -> None:
    ground = Ground(np.zeros((3, 2, 3), np.uint8), np.zeros((3, 2), np.float32))
    mask = np.array([[0, 1], [0, 0], [0, 0]], np.float32)
    (thing,) = find_things(mask, mask, (3, 2), ground)
    assert thing.box == (1, 0, 1, 1)
    assert thing.foot is None  # at the right border


def test_something_small_keeps_its_foot_at_an_edge_and_something_tall_does_not() -> None:
    bg, depth = floor()
    bg[130:180, 40:160] = 200
    ground = Ground(bg, depth)
    for tall, known in ((18, True), (22, False)):
        mask = np.zeros(SIZE, np.float32)
        mask[130 - tall : 130, 60:80] = 1
        (thing,) = find_things(mask, None, SIZE, ground)
        assert (thing.foot == (70.0, 130.0)) is known, tall


def test_an_edge_far_above_the_lower_end_hides_no_foot() -> None:
    """Who leans over a table ends there with an arm, and stands beside it."""
    bg, depth = floor()
    bg[100:140, 80:160] = 200
    mask = np.zeros(SIZE, np.float32)
    mask[60:180, 50:80] = 1
    mask[80:100, 80:140] = 1
    (thing,) = find_things(mask, None, SIZE, Ground(bg, depth))
    assert thing.foot == (65.0, 180.0)


@pytest.mark.parametrize(("scene", "known"), [("spread", False), ("scene_depth", True)])
def test_the_ground_of_a_build_has_a_depth_where_the_build_knows_one(
    scene: str, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    h = SimpleNamespace(manifest=SimpleNamespace(scene=[SimpleNamespace(name=scene)]))
    monkeypatch.setattr(module, "scene_depth", lambda h: np.ones((4, 6), np.float32))
    ground = module.ground_of(h, np.zeros((4, 6, 3), np.uint8))  # type: ignore[arg-type]
    assert (ground.depth is not None) == known
