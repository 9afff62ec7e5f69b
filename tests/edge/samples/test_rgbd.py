from __future__ import annotations

import json
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.calibrate.samples import open_samples
from edge.samples.rgbd import Rgbd
from edge.samples.sample import BACKGROUND, FOREGROUND, IGNORED, SampleError, iter_readable


def make_camera(folder: Path, *, fixed: bool = True, unit: str | None = "mm") -> Path:
    """Three frames 24x32 of a wall at 4 m with a box at 2 m; the upper rows have no reading."""
    for part in ("rgb", "depth", *(["mask"] if fixed else [])):
        (folder / part).mkdir(parents=True)
    wall = np.full((24, 32), 4000, np.uint16)
    wall[:2] = 0
    scene = np.full((24, 32, 3), 90, np.uint8)
    for number in range(3):
        box = (slice(8, 20), slice(4 + number, 14 + number))
        image, depth, mask = scene.copy(), wall.copy(), np.zeros((24, 32), np.uint8)
        image[box], depth[box], mask[box] = 200, 2000, 255
        cv2.imwrite(str(folder / "rgb" / f"{number:05d}.jpg"), image)
        cv2.imwrite(str(folder / "depth" / f"{number:05d}.png"), depth)
        if fixed and number < 2:
            cv2.imwrite(str(folder / "mask" / f"{number:05d}.png"), mask)
    if fixed:
        cv2.imwrite(str(folder / "bg.png"), scene)
        cv2.imwrite(str(folder / "bg_depth.png"), wall)
    if unit:
        (folder / "meta.json").write_text(json.dumps({"depth_unit": unit, "invalid": 0}))
    return folder


def test_a_fixed_camera(tmp_path: Path) -> None:
    samples = open_samples(str(make_camera(tmp_path / "lab")))
    assert isinstance(samples, Rgbd)
    assert len(samples) == 4
    sample = samples[0]
    assert sample.depth is not None and sample.depth_is_true
    assert np.isnan(sample.depth[:2]).all()
    assert sample.depth[10, 6] == pytest.approx(0.5)
    assert sample.depth[10, 30] == pytest.approx(0.25)
    assert ((sample.mask == FOREGROUND) == (sample.depth > 0.4)).all()
    assert (sample.bg == 90).all()
    assert (samples[2].mask == IGNORED).all()  # it has no mask
    scene = samples[3]
    assert scene.name == "lab/bg" and (scene.mask == BACKGROUND).all()
    assert scene.depth is not None and np.nanmax(scene.depth) == pytest.approx(0.25)
    assert samples.skipped == {}
    assert pickle.loads(pickle.dumps(samples))[0].name == "lab/00000"


def test_frames_of_a_camera_that_moves_are_their_own_backgrounds(tmp_path: Path) -> None:
    make_camera(tmp_path / "lab")
    make_camera(tmp_path / "stills", fixed=False, unit=None)
    samples = open_samples(str(tmp_path))
    assert [samples.sequence(i) for i in range(len(samples))] == ["lab"] * 4 + ["stills"] * 3
    sample = samples[4]
    assert np.array_equal(sample.bg, sample.fg_bg)
    assert (sample.mask == BACKGROUND).all()


def test_the_unit_is_stated(tmp_path: Path) -> None:
    depth = Rgbd(make_camera(tmp_path / "a", unit="cm"))[0].depth
    assert depth is not None and depth[10, 6] == pytest.approx(0.05)
    with pytest.raises(SampleError, match="depth_unit 'feet'"):
        Rgbd(make_camera(tmp_path / "b", unit="feet"))


def test_broken_and_eight_bit_depth_is_skipped_by_name(tmp_path: Path) -> None:
    folder = make_camera(tmp_path / "a")
    before = Rgbd(folder).fingerprint()
    path = folder / "depth" / "00000.png"
    path.write_bytes(path.read_bytes()[:60])
    cv2.imwrite(str(folder / "depth" / "00001.png"), np.full((24, 32), 7, np.uint8))
    (folder / "depth" / "00002.png").unlink()
    samples = Rgbd(folder)
    assert samples.fingerprint() != before
    assert [sample.name for sample in iter_readable(samples, range(len(samples)))] == ["a/bg"]
    assert "truncated" in samples.skipped["a/00000"]
    assert "8 bits" in samples.skipped["a/00001"]
    assert samples.skipped["a/00002.jpg"] == "it has no depth map"


def test_float_depth_without_a_unit_is_asked_for(tmp_path: Path) -> None:
    """Metres were taken for millimetres."""
    camera = make_camera(tmp_path / "a", fixed=False, unit=None)
    for path in (camera / "depth").iterdir():
        cv2.imwrite(str(path.with_suffix(".tif")), np.full((24, 32), 2, np.float32))
        path.unlink()
    with pytest.raises(SampleError, match=r'unit of .* is unknown, .*float32; .*"depth_unit": "m"'):
        Rgbd(camera)[0]
    (camera / "meta.json").write_text('{"depth_unit": "m"}', "utf-8-sig")
    depth = Rgbd(camera)[0].depth
    assert depth is not None and (depth == 0.5).all()
    (camera / "meta.json").write_text("[]")
    with pytest.raises(SampleError, match=r"meta\.json holds no object"):
        Rgbd(camera)


def test_real_cameras(shared: Path) -> None:
    samples = open_samples(str(shared / "data" / "rgbd"))
    depth = samples[0].depth
    assert depth is not None and 0.05 < np.nanmedian(depth) < 3
