from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.calibrate.rendering.scene import RenderedScene
from edge.camera.camera import Camera
from edge.camera.source import CameraError, Frame
from edge.scene import background
from edge.scene.background import LEAST, MOST, gather_images, median_background


def test_people_who_walk_through_leave_no_trace() -> None:
    with Camera("synthetic://yard?seed=2") as source:
        frames = [f for _ in range(300) if isinstance(f := source.take(), Frame)][::5]
    assert max(f.truth.mean() for f in frames if f.truth is not None) > 0.01
    made = median_background([f.image for f in frames])
    true = RenderedScene("yard", 2, made.shape[:2]).background().image
    wrong = np.abs(made.astype(int) - true).max(axis=2) > 25
    assert wrong.mean() < 0.002


def test_quiet_images_outvote_a_crowd() -> None:
    """A crowd that stands in most images would win a plain median."""
    rng = np.random.default_rng(0)
    empty = rng.integers(80, 120, (64, 96, 3), np.uint8)
    images = [empty.copy() for _ in range(20)]
    for number in range(25):
        busy = empty.copy()
        busy[16:48, 8:60] = 0 if number % 2 else 30
        images.append(busy)
    assert np.array_equal(median_background(images), empty)
    assert not np.array_equal(np.median(images, axis=0).round().astype(np.uint8), empty)


def test_one_image_is_its_own_background_and_none_is_refused() -> None:
    image = np.full((8, 8, 3), 9, np.uint8)
    assert np.array_equal(median_background([image]), image)
    with pytest.raises(CameraError, match="no image"):
        median_background([])


def test_images_of_several_sizes_are_refused() -> None:
    with pytest.raises(CameraError, match=r"several sizes \(8x6, 9x6\), expected one"):
        median_background([np.zeros((6, width, 3), np.uint8) for width in (8, 9)])


def write_video(path: Path, levels: list[int], fps: float = 10) -> str:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (64, 48))
    for level in levels:
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    return str(path)


def test_images_are_spread_over_the_seconds_asked_for(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", list(range(250)))
    levels = [image.mean() for image in gather_images(path, seconds=20)]
    assert MOST // 2 < len(levels) <= MOST
    assert 150 < max(levels) < 210
    steps = np.diff(levels)
    assert steps.max() - steps.min() < 2


@pytest.mark.parametrize("fps", [5, 10, 30])
@pytest.mark.parametrize("seconds", [0.5, 1, 4, 10, 19])
def test_nothing_after_the_seconds_is_used(fps: int, seconds: float, tmp_path: Path) -> None:
    total = round(seconds * fps)
    path = write_video(tmp_path / "a.avi", [0] * total + [250] * total, fps)
    levels = [image.mean() for image in gather_images(path, seconds=seconds)]
    assert min(MOST // 2 + 1, total) <= len(levels) <= MOST
    assert max(levels) < 5


@pytest.mark.parametrize("frames", [1, 4, 9, 10, 30, 61, 62, 90, 500])
def test_a_recording_of_any_length_gives_enough_images(frames: int, tmp_path: Path) -> None:
    """The length is not known beforehand: 60 seconds are the default, a clip of 3 has 90 frames."""
    levels = [240 * number // frames for number in range(frames)]
    path = write_video(tmp_path / "a.avi", levels, 30)
    images = gather_images(path)
    assert len(images) == frames if frames <= MOST else MOST // 2 < len(images) <= MOST
    assert images[0].mean() < 5
    assert images[-1].mean() > 240 - 2 * 240 / len(images) - 5


@pytest.mark.parametrize("frames", [9, 10, 16, 17, 33, 100])
def test_large_images_are_at_least_nine(
    frames: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "BYTES", 1)
    path = write_video(tmp_path / "a.avi", [100] * frames)
    assert LEAST <= len(gather_images(path)) < 2 * LEAST


def test_a_broken_image_is_told_and_left_out(tmp_path: Path) -> None:
    for number in range(6):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((8, 8, 3), number, np.uint8))
    (tmp_path / "3.png").write_bytes(b"half")
    frames, messages = [], []
    images = gather_images(str(tmp_path), None, lambda: frames.append(1), messages.append)
    assert [image[0, 0, 0] for image in images] == [0, 1, 2, 4, 5]
    assert len(frames) == 6
    assert len(messages) == 1 and "3.png" in messages[0]
    with pytest.raises(CameraError, match=r"no frame of .*3\.png could be read"):
        gather_images(str(tmp_path / "3.png"))


@pytest.mark.parametrize("size", [(3, 4), (1, 1), (5, 300)])
def test_tiny_images_have_a_background(size: tuple[int, int]) -> None:
    images = [np.full((*size, 3), level, np.uint8) for level in (7, 7, 7, 200)]
    assert (median_background(images) == 7).all()
