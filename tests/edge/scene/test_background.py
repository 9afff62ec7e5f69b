from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.calibrate.rendering.scene import RenderedScene
from edge.camera.camera import Camera, CameraError, Frame
from edge.scene.background import MOST, empty_scene, gathered


def test_people_who_walk_through_leave_no_trace() -> None:
    with Camera("synthetic://yard?seed=2") as source:
        frames = [f for _ in range(300) if isinstance(f := source.take(), Frame)][::5]
    assert max(f.truth.mean() for f in frames if f.truth is not None) > 0.01
    found = empty_scene([f.picture for f in frames])
    true = RenderedScene("yard", 2, found.shape[:2]).background().picture
    wrong = np.abs(found.astype(int) - true).max(axis=2) > 25
    assert wrong.mean() < 0.002


def test_quiet_pictures_outvote_a_crowd() -> None:
    """A crowd that stands in most pictures would win a plain median."""
    rng = np.random.default_rng(0)
    empty = rng.integers(80, 120, (64, 96, 3), np.uint8)
    pictures = [empty.copy() for _ in range(20)]
    for number in range(25):
        busy = empty.copy()
        busy[16:48, 8:60] = 0 if number % 2 else 30
        pictures.append(busy)
    assert np.array_equal(empty_scene(pictures), empty)
    assert not np.array_equal(np.median(pictures, axis=0).round().astype(np.uint8), empty)


def test_one_picture_is_its_own_background_and_none_is_refused() -> None:
    picture = np.full((8, 8, 3), 9, np.uint8)
    assert np.array_equal(empty_scene([picture]), picture)
    with pytest.raises(CameraError, match="no picture"):
        empty_scene([])


def test_pictures_of_several_sizes_are_refused() -> None:
    with pytest.raises(CameraError, match=r"several sizes \(8x6, 9x6\), expected one"):
        empty_scene([np.zeros((6, width, 3), np.uint8) for width in (8, 9)])


def test_pictures_are_spread_over_the_seconds_asked_for(tmp_path: Path) -> None:
    path = str(tmp_path / "a.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for number in range(250):
        writer.write(np.full((48, 64, 3), number, np.uint8))
    writer.release()
    levels = [picture.mean() for picture in gathered(path, seconds=20)]
    assert MOST // 2 < len(levels) <= MOST
    assert 150 < max(levels) < 210


@pytest.mark.parametrize("fps", [5, 10, 30])
@pytest.mark.parametrize("seconds", [0.5, 1, 4, 10, 19])
def test_nothing_after_the_seconds_is_looked_at(fps: int, seconds: float, tmp_path: Path) -> None:
    path = str(tmp_path / "a.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), fps, (64, 48))
    total = round(seconds * fps)
    for number in range(2 * total):
        writer.write(np.full((48, 64, 3), 0 if number < total else 250, np.uint8))
    writer.release()
    levels = [picture.mean() for picture in gathered(path, seconds=seconds)]
    assert len(levels) == min(MOST, total)
    assert max(levels) < 5
