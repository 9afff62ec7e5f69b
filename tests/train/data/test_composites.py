from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.samples.sample import BACKGROUND, FOREGROUND, IGNORED
from edge.train.augment.copy_paste import contact_depth
from edge.train.augment.crop import random_crop
from edge.train.augment.photometric import augment_sample
from edge.train.data.composites import Composites


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cutouts")
    rng = np.random.default_rng(0)
    for part in ("backgrounds", "foregrounds"):
        (root / part).mkdir()
    for name in range(3):
        picture = cv2.resize(rng.integers(40, 216, (5, 7, 3), np.uint8), (160, 120))
        cv2.imwrite(str(root / "backgrounds" / f"{name}.jpg"), picture)
        cutout = np.zeros((80, 40, 4), np.uint8)
        colour = (*(int(v) for v in rng.integers(0, 256, 3)), 255)
        cv2.ellipse(cutout, (20, 40), (16, 38), 0, 0, 360, colour, -1)
        cv2.imwrite(str(root / "foregrounds" / f"{name}.png"), cutout)
    return root


def test_a_composite_depends_on_its_generator_alone(folder: Path) -> None:
    source = Composites(folder, 96, None)
    a, b = (augment_sample(*source.draw(np.random.default_rng([3, 14]))) for _ in range(2))
    assert np.array_equal(a.fg_bg, b.fg_bg)
    assert np.array_equal(a.mask, b.mask)


def test_masks_hold_objects_edges_and_backgrounds(folder: Path) -> None:
    source = Composites(folder, 96, None)
    samples = [augment_sample(*source.draw(np.random.default_rng([1, i]))) for i in range(60)]
    shares = np.array([(s.mask == FOREGROUND).mean() for s in samples])
    assert 0.03 < (shares == 0).mean() < 0.4
    assert shares.max() > 0.1
    ignored = np.array([(s.mask == IGNORED).mean() for s in samples])
    assert 0 < ignored.mean() < 0.05
    assert all(s.fg_bg.shape == (96, 96, 3) and s.fg_bg.dtype == np.uint8 for s in samples)


@pytest.mark.parametrize(("alpha", "label"), [(153, FOREGROUND), (102, IGNORED), (20, BACKGROUND)])
def test_pixels_more_than_half_covered_are_foreground(
    alpha: int, label: int, folder: Path, tmp_path: Path
) -> None:
    """The left half of a cut-out is opaque, the right half has the alpha that is tested."""
    (tmp_path / "backgrounds").symlink_to(folder / "backgrounds")
    (tmp_path / "foregrounds").mkdir()
    cutout = np.full((40, 40, 4), 255, np.uint8)
    cutout[:, 20:, 3] = alpha
    cv2.imwrite(str(tmp_path / "foregrounds" / "a.png"), cutout)
    source = Composites(tmp_path, 96, None)
    counts = np.zeros(256)
    for i in range(30):
        mask = source.draw(np.random.default_rng([2, i]))[0].mask
        counts += np.bincount(mask.ravel(), minlength=256)
    foreground, ignored = counts[FOREGROUND], counts[IGNORED]
    if label == FOREGROUND:
        assert ignored < 0.15 * foreground
    elif label == IGNORED:
        assert 0.5 * foreground < ignored < 1.5 * foreground
    else:
        assert ignored < 0.15 * foreground


def test_an_object_is_as_deep_as_the_floor_at_its_foot() -> None:
    depth = np.repeat(np.linspace(0, 1, 50, dtype=np.float32)[:, None], 50, axis=1)
    alpha = np.zeros((50, 50), np.float32)
    alpha[10:41, 20:30] = 1
    assert contact_depth(depth, alpha) == pytest.approx(depth[39, 0], abs=0.02)
    # An object in front of a near wall is at least as near.
    depth[:30] = 0.9
    assert contact_depth(depth, alpha) > 0.75
    # Unknown depth stays unknown.
    depth[:30] = np.nan
    assert contact_depth(depth, alpha) == pytest.approx(depth[39, 0], abs=0.02)
    assert np.isnan(contact_depth(np.full_like(depth, np.nan), alpha))


def test_a_small_cut_out_is_not_enlarged(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "backgrounds").symlink_to(folder / "backgrounds")
    (tmp_path / "foregrounds").mkdir()
    cv2.imwrite(str(tmp_path / "foregrounds" / "a.png"), np.full((5, 4, 4), 255, np.uint8))
    source = Composites(tmp_path, 96, None)
    masks = [source.draw(np.random.default_rng(i))[0].mask for i in range(30)]
    # Up to five objects of three times its size and half a pixel around.
    assert 0 < max((mask == FOREGROUND).sum() for mask in masks) <= 5 * 16 * 13


def test_a_crop_lies_inside_the_image() -> None:
    for i in range(50):
        matrix = random_crop(np.random.default_rng(i), (120, 160), 64)
        corners = np.array([[0, 0], [63, 63]], np.float64)
        inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
        source = corners @ inverse[:2, :2].T + inverse[:2, 2]
        assert (source > -1).all()
        assert (source <= [161, 121]).all()


def test_a_whole_crop_leaves_nothing_out() -> None:
    corners = np.array([[0, 0, 1], [160, 0, 1], [160, 120, 1]], np.float32)
    columns = set()
    for i in range(8):
        matrix = random_crop(np.random.default_rng(i), (120, 160), 64, whole=True)
        columns.add(tuple((matrix @ corners.T)[0].round(3)))
        assert (matrix @ corners.T)[1] == pytest.approx([0, 0, 64])
    assert columns == {(0, 64, 64), (64, 0, 0)}  # as it is, and mirrored
