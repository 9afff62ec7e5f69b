"""Folders of images: damaged ones are lost and named, the others keep their numbers."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.camera.camera import Camera
from edge.camera.source import CameraEvent, Frame

DAMAGES = {
    "half": lambda data: data[: len(data) // 2],
    "its last bytes": lambda data: data[:-6],
    "zeros at its end": lambda data: data[: len(data) // 2] + bytes(len(data) - len(data) // 2),
    "empty": lambda data: b"",
    "text": lambda data: b"<html>404</html>",
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".png", ".bmp", ".webp"])
def test_a_damaged_image_is_lost_and_named(suffix: str, damage: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(4):
        image = rng.integers(0, 256, (48, 64, 3), np.uint8)
        file = tmp_path / f"{number}{suffix}"
        cv2.imwrite(str(file), image)
        if number == 1:
            file.write_bytes(DAMAGES[damage](file.read_bytes()))
    frames, events = [], []
    with Camera(str(tmp_path)) as camera:
        while not camera.ended:
            item = camera.take()
            if isinstance(item, Frame):
                frames.append(item)
            elif isinstance(item, CameraEvent):
                events.append(item)
        assert camera.unreadable == 1
    assert [frame.number for frame in frames] == [0, 2, 3]
    assert [event.kind for event in events] == ["unreadable"]
    assert f"1{suffix}" in events[0].text


def test_a_labelled_sequence_gives_its_frames_alone(tmp_path: Path) -> None:
    for place, level in (("bg.png", 1), ("input/2.png", 2), ("input/10.png", 3),
                         ("groundtruth/2.png", 4), ("groundtruth/10.png", 4)):  # fmt: skip
        (tmp_path / place).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / place), np.full((8, 8, 3), level, np.uint8))
    levels = []
    with Camera(str(tmp_path)) as camera:
        while not camera.ended:
            item = camera.take()
            if isinstance(item, Frame):
                levels.append(int(item.image[0, 0, 0]))
    assert levels == [2, 3]


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    for number in (1, 2, 9, 10, 11, 100):
        cv2.imwrite(str(tmp_path / f"cam2_{number}.png"), np.full((8, 8, 3), number, np.uint8))
    with Camera(str(tmp_path)) as camera:
        items = iter(camera.take, None)
        levels = [int(item.image[0, 0, 0]) for item in items if isinstance(item, Frame)]
    assert levels == [1, 2, 9, 10, 11, 100]
