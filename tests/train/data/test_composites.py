from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.samples.sample import BACKGROUND, FOREGROUND, IGNORED
from edge.train.data.composites import Composites, touching, window
from edge.train.data.mix import taken


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


def test_a_picture_depends_on_its_generator_alone(folder: Path) -> None:
    source = Composites(folder, 96, None)
    a, b = (taken(*source.draw(np.random.default_rng([3, 14]))) for _ in range(2))
    assert np.array_equal(a.fg_bg, b.fg_bg)
    assert np.array_equal(a.mask, b.mask)


def test_masks_hold_objects_edges_and_empty_scenes(folder: Path) -> None:
    source = Composites(folder, 96, None)
    samples = [taken(*source.draw(np.random.default_rng([1, i]))) for i in range(60)]
    shares = np.array([(s.mask == FOREGROUND).mean() for s in samples])
    assert 0.03 < (shares == 0).mean() < 0.4
    assert shares.max() > 0.1
    ignored = np.array([(s.mask == IGNORED).mean() for s in samples])
    assert 0 < ignored.mean() < 0.05
    assert all(s.fg_bg.shape == (96, 96, 3) and s.fg_bg.dtype == np.uint8 for s in samples)


@pytest.mark.parametrize(("alpha", "label"), [(153, FOREGROUND), (102, IGNORED), (20, BACKGROUND)])
def test_what_is_more_than_half_covered_is_new(
    alpha: int, label: int, folder: Path, tmp_path: Path
) -> None:
    """The left half of a cut-out is opaque, the right half glass: of what is new, or nobody's."""
    (tmp_path / "backgrounds").symlink_to(folder / "backgrounds")
    (tmp_path / "foregrounds").mkdir()
    thing = np.full((40, 40, 4), 255, np.uint8)
    thing[:, 20:, 3] = alpha
    cv2.imwrite(str(tmp_path / "foregrounds" / "a.png"), thing)
    source = Composites(tmp_path, 96, None)
    counts = np.zeros(256)
    for i in range(30):
        mask = source.draw(np.random.default_rng([2, i]))[0].mask
        counts += np.bincount(mask.ravel(), minlength=256)
    new, ignored = counts[FOREGROUND], counts[IGNORED]
    if label == FOREGROUND:
        assert ignored < 0.15 * new
    elif label == IGNORED:
        assert 0.5 * new < ignored < 1.5 * new
    else:
        assert ignored < 0.15 * new


def test_a_thing_is_as_deep_as_the_floor_it_touches() -> None:
    depth = np.repeat(np.linspace(0, 1, 50, dtype=np.float32)[:, None], 50, axis=1)
    alpha = np.zeros((50, 50), np.float32)
    alpha[10:41, 20:30] = 1
    assert touching(depth, alpha) == pytest.approx(depth[39, 0], abs=0.02)
    # Nothing is behind what it covers: a thing before a near wall is at least as near.
    depth[:30] = 0.9
    assert touching(depth, alpha) > 0.75
    # Of what is unknown it is not guessed.
    depth[:30] = np.nan
    assert touching(depth, alpha) == pytest.approx(depth[39, 0], abs=0.02)
    assert np.isnan(touching(np.full_like(depth, np.nan), alpha))


def test_a_small_cut_out_is_not_blown_up(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "backgrounds").symlink_to(folder / "backgrounds")
    (tmp_path / "foregrounds").mkdir()
    cv2.imwrite(str(tmp_path / "foregrounds" / "a.png"), np.full((5, 4, 4), 255, np.uint8))
    source = Composites(tmp_path, 96, None)
    shown = [source.draw(np.random.default_rng(i))[0].mask for i in range(30)]
    # Up to five things of three times its size and half a pixel around.
    assert 0 < max((mask == FOREGROUND).sum() for mask in shown) <= 5 * 16 * 13


def test_a_window_lies_inside_the_picture() -> None:
    for i in range(50):
        matrix = window(np.random.default_rng(i), (120, 160), 64)
        corners = np.array([[0, 0], [63, 63]], np.float64)
        inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
        found = corners @ inverse[:2, :2].T + inverse[:2, 2]
        assert (found > -1).all()
        assert (found <= [161, 121]).all()


def test_a_whole_window_leaves_nothing_out() -> None:
    corners = np.array([[0, 0, 1], [160, 0, 1], [160, 120, 1]], np.float32)
    seen = set()
    for i in range(8):
        matrix = window(np.random.default_rng(i), (120, 160), 64, whole=True)
        seen.add(tuple((matrix @ corners.T)[0].round(3)))
        assert (matrix @ corners.T)[1] == pytest.approx([0, 0, 64])
    assert seen == {(0, 64, 64), (64, 0, 0)}  # as it is, and mirrored
