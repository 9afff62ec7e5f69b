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


def cutout(alpha: int, dtype: type = np.uint8) -> np.ndarray:
    """A grey square with a border that is transparent and a middle of that alpha."""
    image = np.full((20, 20, 4), 90, dtype)
    image[..., 3] = 0
    image[5:15, 5:15, 3] = alpha
    return image


def test_alpha_of_0_and_1_is_stretched(tmp_path: Path) -> None:
    for name, image in {
        "8": cutout(255), "01": cutout(1), "16": cutout(65535, np.uint16) * np.uint16(1),
        "16-255": cutout(255, np.uint16),
    }.items():  # fmt: skip
        if name == "16":
            image[..., :3] = 90 * 257
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
    cutouts = read_cutouts(tmp_path, 64)
    assert len(cutouts) == 4
    for cut in cutouts:
        assert set(np.unique(cut.alpha)) == {0, 255}, cut.name
        assert (cut.colour == 90).all(), cut.name


def test_what_is_no_cutout_is_named_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "good.png"), cutout(255))
    cv2.imwrite(str(tmp_path / "photo.jpg"), cutout(255)[..., :3])
    cv2.imwrite(str(tmp_path / "clear.png"), cutout(0))
    cv2.imwrite(str(tmp_path / "faint.png"), cutout(100))
    data = (tmp_path / "good.png").read_bytes()
    (tmp_path / "torn.png").write_bytes(data[: len(data) // 2])
    assert [cut.name for cut in read_cutouts(tmp_path, 64)] == ["good"]
    notes = capsys.readouterr().err
    for words in (
        "photo.jpg: it has no alpha channel", "clear.png: it is transparent everywhere",
        "faint.png: its alpha reaches 100 only", "torn.png: it is truncated",
        "4 files could not be read and were left out",
    ):  # fmt: skip
        assert words in notes
    (tmp_path / "good.png").unlink()
    with pytest.raises(SampleError, match=r"no RGBA cut-outs in .*; 1 files: it "):
        read_cutouts(tmp_path, 64)


def test_opaque_rectangles_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((8, 8, 4), 255, np.uint8))
    assert len(read_cutouts(tmp_path, 64)) == 1
    assert "1 of 1 cut-outs are opaque everywhere, as wall" in capsys.readouterr().err


def test_cutouts_of_one_name_in_two_folders_keep_their_composites(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "1.png"), cutout(255))
    assert [cut.name for cut in read_cutouts(tmp_path, 64)] == ["a-1-png", "b-1-png"]


def test_broken_backgrounds_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = cv2.imencode(".jpg", np.full((80, 80, 3), 90, np.uint8))[1].tobytes()
    (tmp_path / "good.jpg").write_bytes(image)
    (tmp_path / "half.jpg").write_bytes(image[:-60])
    assert list(read_backgrounds(tmp_path, 64)) == ["good"]
    assert "half.jpg: it is truncated" in capsys.readouterr().err


def test_a_cutout_that_shrinks_to_nothing_keeps_a_pixel(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "pole.png"), np.full((900, 3, 4), 255, np.uint8))
    (cutout,) = read_cutouts(tmp_path, 64)
    assert cutout.colour.shape == (64, 1, 3)
