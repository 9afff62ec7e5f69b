"""Backgrounds and cut-outs in folders, and cut-outs from frames."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.samples.sample import IGNORED, Sample, SampleError
from edge.train.data.cutouts import extract_cutouts, read_backgrounds, read_cutouts


def test_images_of_one_name_in_several_folders_are_all_read(tmp_path: Path) -> None:
    for level, name in enumerate(("office/001.png", "hall/001.png", "hall/002.png")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), np.full((8, 8, 3), 10 * level, np.uint8))
    images = read_backgrounds(tmp_path, 64)
    assert {name: int(image[0, 0, 0]) for name, image in images.items()} == {
        "office-001-png": 0,
        "hall-001-png": 10,
        "002": 20,
    }


def test_a_folder_without_readable_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"torn")
    with pytest.raises(SampleError, match=r"no image in .* can be read"):
        read_backgrounds(tmp_path, 64)


def test_sixteen_bits_are_as_bright_as_eight(tmp_path: Path) -> None:
    eight = np.zeros((8, 8, 4), np.uint8)
    eight[..., :3], eight[..., 3] = 117, 128
    cv2.imwrite(str(tmp_path / "8.png"), eight)
    cv2.imwrite(str(tmp_path / "16.png"), eight.astype(np.uint16) * 257)
    deep, plain = read_cutouts(tmp_path, 64)
    assert np.array_equal(deep.colour, plain.colour)
    assert np.array_equal(deep.alpha, plain.alpha)


def framed(*boxes: tuple[int, int, int, int]) -> Sample:
    """Boxes (left, top, wide, tall), each of its own grey, in a frame of 120x90."""
    frame, mask = np.full((90, 120, 3), 7, np.uint8), np.zeros((90, 120), np.uint8)
    for number, (left, top, wide, tall) in enumerate(boxes, 1):
        frame[top : top + tall, left : left + wide] = 40 * number
        mask[top : top + tall, left : left + wide] = 255
    return Sample("yard/000001", np.zeros_like(frame), frame, mask)


def test_objects_are_cut_out_of_a_frame_one_by_one() -> None:
    sample = framed((10, 10, 20, 40), (60, 30, 30, 20))
    sample.mask[9, 10:30] = IGNORED
    first, second = extract_cutouts(sample, 320)
    assert (first.name, second.name) == ("yard/000001/1", "yard/000001/2")
    assert first.alpha.shape == first.colour.shape[:2] == (44, 24)
    inside = first.alpha > 250
    assert inside.sum() > 0.8 * 20 * 40
    assert (first.colour[inside] == 40).all()
    # Half covered at its outline, nothing two pixels away.
    assert first.alpha[22, 2] > 127 > first.alpha[22, 1] > 0
    assert (second.colour[second.alpha > 127] == 80).all()
    assert max(next(extract_cutouts(sample, 16)).alpha.shape) == 16


@pytest.mark.parametrize(
    "box", [(10, 10, 8, 18), (10, 10, 40, 13), (0, 0, 30, 30), (0, 20, 120, 40)]
)
def test_objects_that_are_hardly_visible_are_not_cut_out(
    box: tuple[int, int, int, int],
) -> None:
    assert not list(extract_cutouts(framed(box), 320))
    assert len(list(extract_cutouts(framed((0, 20, 30, 30)), 320))) == 1
