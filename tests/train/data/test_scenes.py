from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.samples.rgbd import Rgbd
from edge.samples.sample import SampleError
from edge.train.augment.crop import warp
from edge.train.data.mix import open_source
from edge.train.data.scenes import Scenes, random_view

HEIGHT, WIDTH = 90, 120


def write_camera(folder: Path, metres: np.ndarray) -> None:
    """Two frames whose grey level is their inverse depth, so that both can be compared anywhere."""
    level = 255 / metres / (1 / metres).max()
    for part in ("rgb", "depth"):
        (folder / part).mkdir(parents=True)
    for number in range(2):
        grey = np.repeat(level.round().astype(np.uint8)[..., None], 3, axis=2)
        cv2.imwrite(str(folder / "rgb" / f"{number}.png"), grey)
        cv2.imwrite(str(folder / "depth" / f"{number}.png"), (1000 * metres).astype(np.uint16))


@pytest.fixture
def scenes(tmp_path: Path) -> Scenes:
    across = np.linspace(1, 4, WIDTH) * np.ones((HEIGHT, 1))
    write_camera(tmp_path / "hall", across)
    source, weight = open_source(f"{tmp_path}=2", 64, None, (), whole=True)
    assert isinstance(source, Scenes) and weight == 2
    assert source.names == {"hall"}
    return source


def test_frame_and_depth_are_seen_from_the_same_view(scenes: Scenes) -> None:
    shown = []
    for number in range(40):
        sample, exposures = scenes.draw(np.random.default_rng(number))
        assert sample.depth is not None and sample.depth_is_true
        assert sample.bg is sample.fg_bg and not sample.mask.any()
        assert exposures.bg.table is not exposures.fg_bg.table
        known = np.isfinite(sample.depth)
        assert known.mean() > 0.9  # a rotated view has corners without depth
        assert sample.depth[known].min() > 0 and sample.depth[known].max() <= 1
        grey, depth = sample.fg_bg.mean(2)[known], sample.depth[known]
        assert np.corrcoef(grey, depth)[0, 1] > 0.99
        shown.append(depth.max() - depth.min())
    whole = np.isclose(shown, 0.75, atol=0.03)
    assert 10 < whole.sum() < 30  # the others are parts


def test_a_view_shows_nothing_but_the_image_unless_it_is_tilted() -> None:
    inside = np.full((HEIGHT, WIDTH), 255, np.uint8)
    mirrored = 0
    for number in range(60):
        matrix = random_view(np.random.default_rng(number), inside.shape, 48)
        mirrored += matrix[0, 0] < 0
        seen = cv2.warpAffine(inside, matrix, (48, 48), borderMode=cv2.BORDER_CONSTANT)
        assert (seen > 127).mean() > 0.9
        if not matrix[0, 1]:
            assert (warp(inside, matrix, 48, cv2.INTER_NEAREST) == 255).all()
            corners = np.linalg.inv(np.vstack([matrix, [0, 0, 1]])) @ [[0, 48], [0, 48], [1, 1]]
            assert corners[:2].min() > -1e-3
            assert (corners[:2].max(1) <= [WIDTH + 1e-3, HEIGHT + 1e-3]).all()
    assert 15 < mirrored < 45


def test_scenes_need_a_depth_and_leave_cameras_out(tmp_path: Path) -> None:
    write_camera(tmp_path / "hall", np.full((8, 8), 2.0))
    write_camera(tmp_path / "yard", np.full((8, 8), 2.0))
    source, _ = open_source(str(tmp_path), 32, None, ("yard",), whole=True)
    assert isinstance(source, Scenes) and len(source.scenes) == 2
    with pytest.raises(SampleError, match="no depth to train on"):
        Scenes(Rgbd(tmp_path), [], 32)
    cropped, _ = open_source(str(tmp_path), 32, None, ())
    assert not isinstance(cropped, Scenes)
