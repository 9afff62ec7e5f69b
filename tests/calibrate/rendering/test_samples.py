from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from edge.calibrate.rendering.samples import Rendered
from edge.calibrate.rendering.scene import KINDS, RenderedScene
from edge.samples.sample import FOREGROUND

SIZE = (96, 128)


def test_a_sample_does_not_depend_on_the_order_of_reading() -> None:
    forward, other = Rendered(24, SIZE, seed=2), Rendered(24, SIZE, seed=2)
    first = [forward[i] for i in (0, 9, 17)]
    again = [other[i] for i in (17, 9, 0)][::-1]
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a.fg_bg, b.fg_bg)
        assert np.array_equal(a.mask, b.mask)


def test_scenes_differ_and_frames_of_one_share_their_background() -> None:
    rendered = Rendered(40, SIZE)
    assert np.array_equal(rendered[0].bg, rendered[1].bg)
    backgrounds = [rendered[i].bg.astype(int) for i in range(0, 40, 8)]
    for i, a in enumerate(backgrounds):
        for b in backgrounds[:i]:
            assert np.abs(a - b).mean() > 5
    names = [rendered.sequence(i).split("-")[0] for i in range(0, 24, 8)]
    assert names == list(KINDS)


def test_seeds_differ() -> None:
    assert not np.array_equal(Rendered(1, SIZE, seed=1)[0].bg, Rendered(1, SIZE, seed=2)[0].bg)
    assert Rendered(1, SIZE, seed=1).fingerprint() != Rendered(1, SIZE, seed=2).fingerprint()


@pytest.mark.parametrize("kind", KINDS)
def test_the_mask_is_where_something_is_nearer_than_the_empty_scene(kind: str) -> None:
    scene = RenderedScene(kind, 4, SIZE)
    empty = scene.background()
    seen = 0
    for t in range(0, 24, 3):
        frame = scene.frame(float(t))
        inside = frame.mask == FOREGROUND
        seen += int(inside.sum())
        assert (frame.inverse_depth[inside] > empty.inverse_depth[inside] * 0.98).all()
        assert np.allclose(frame.inverse_depth[~inside], empty.inverse_depth[~inside], rtol=0.15)
        assert not scene.frame(float(t), empty=True).mask.any()
    assert seen > 0


def test_shadows_darken_and_are_not_in_the_mask() -> None:
    scene = RenderedScene("yard", 0, SIZE)
    empty = scene.background().picture.astype(int)
    darkened = 0
    for t in range(0, 24, 2):
        frame = scene.frame(float(t))
        change = empty - frame.picture.astype(int)
        shadow = (change.min(axis=2) > 12) & (frame.mask == 0)
        darkened += int(shadow.sum())
        lit = (change.max(axis=2) < -40) & (frame.mask == 0)
        assert lit.mean() < 0.01
    assert darkened > 50


def test_people_move() -> None:
    scene = RenderedScene("corridor", 1, SIZE)
    masks = [scene.frame(t / 2).mask for t in range(40)]
    present = [m for m in masks if m.any()]
    assert any(not np.array_equal(a, b) for a, b in pairwise(present))


def test_camouflage_takes_the_colours_of_the_place() -> None:
    scene = RenderedScene("room", 2, SIZE)
    moment = next(t for t in range(40) if (scene.frame(t).mask == FOREGROUND).sum() > 100)
    empty = scene.background().picture.astype(int)
    plain, hidden = scene.frame(moment), scene.frame(moment, camouflage=True)
    inside = plain.mask == FOREGROUND

    def contrast(picture: np.ndarray) -> float:
        return float(np.abs(picture.astype(int) - empty)[inside].mean())

    assert contrast(hidden.picture) < contrast(plain.picture)
    assert np.array_equal(plain.mask, hidden.mask)


@pytest.mark.parametrize("size", [(224, 224), (192, 320)])
def test_sizes(size: tuple[int, int]) -> None:
    sample = Rendered(1, size)[0]
    assert sample.bg.shape == (*size, 3)
    assert sample.depth is not None
    assert sample.depth.shape == size
    assert 0 <= sample.depth.min() < sample.depth.max() <= 1


def test_the_range_is_checked() -> None:
    with pytest.raises(IndexError):
        Rendered(3, SIZE)[3]
    with pytest.raises(ValueError, match="unknown kind"):
        RenderedScene("cellar", 0, SIZE)
