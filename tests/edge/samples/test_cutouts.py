"""Backgrounds and cut-outs as people keep them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.samples.cutouts import read_backgrounds, read_cutouts
from edge.samples.sample import SampleError


def test_pictures_of_one_name_in_several_folders_are_all_read(tmp_path: Path) -> None:
    for level, name in enumerate(("office/001.png", "hall/001.png", "hall/002.png")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), np.full((8, 8, 3), 10 * level, np.uint8))
    found = read_backgrounds(tmp_path, 64)
    assert {name: int(picture[0, 0, 0]) for name, picture in found.items()} == {
        "office-001-png": 0,
        "hall-001-png": 10,
        "002": 20,
    }


def test_a_folder_of_nothing_that_can_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"torn")
    with pytest.raises(SampleError, match=r"no picture in .* can be read"):
        read_backgrounds(tmp_path, 64)


def test_sixteen_bits_are_as_bright_as_eight(tmp_path: Path) -> None:
    eight = np.zeros((8, 8, 4), np.uint8)
    eight[..., :3], eight[..., 3] = 117, 128
    cv2.imwrite(str(tmp_path / "8.png"), eight)
    cv2.imwrite(str(tmp_path / "16.png"), eight.astype(np.uint16) * 257)
    deep, plain = read_cutouts(tmp_path, 64)
    assert np.array_equal(deep.colour, plain.colour)
    assert np.array_equal(deep.alpha, plain.alpha)
