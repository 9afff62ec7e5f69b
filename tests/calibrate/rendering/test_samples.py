"""Rendered samples: reproducible, exact masks and depth, shadows outside the mask."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.calibrate.rendering.samples import VERSION, Rendered
from edge.calibrate.rendering.scene import KINDS, RenderedScene
from edge.samples.sample import FOREGROUND

SIZE = (96, 128)
FINGERPRINT = "958e8128ae27fbb963337f28cce7c1f4be08da9c86e6d76f75d98d4b16adc90a"


def test_a_sample_does_not_depend_on_the_order_of_reading() -> None:
    forward, backward = Rendered(24, SIZE, seed=2), Rendered(24, SIZE, seed=2)
    first = [forward[i] for i in (0, 9, 17)]
    again = [backward[i] for i in (17, 9, 0)][::-1]
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a.fg_bg, b.fg_bg)
        assert np.array_equal(a.mask, b.mask)
        assert a.spread is not None and b.spread is not None
        assert np.array_equal(a.spread, b.spread)


def test_scenes_differ_and_frames_of_a_scene_share_the_background() -> None:
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


def test_the_fingerprint_keys_stored_activation_ranges() -> None:
    assert Rendered(24, seed=5).fingerprint() == FINGERPRINT


@pytest.mark.parametrize("kind", KINDS)
def test_the_mask_marks_pixels_nearer_than_the_background(kind: str) -> None:
    scene = RenderedScene(kind, 4, SIZE)
    background = scene.background()
    marked = 0
    for t in range(0, 24, 3):
        frame = scene.frame(float(t))
        inside = frame.mask == FOREGROUND
        marked += int(inside.sum())
        depth, empty_depth = frame.inverse_depth, background.inverse_depth
        assert (depth[inside] > empty_depth[inside] * 0.98).all()
        assert np.allclose(depth[~inside], empty_depth[~inside], rtol=0.15)
        assert not scene.frame(float(t), empty=True).mask.any()
    assert marked > 0


def test_shadows_darken_and_are_not_in_the_mask() -> None:
    scene = RenderedScene("yard", 0, SIZE)
    background = scene.background().image.astype(int)
    darkened = 0
    for t in range(0, 24, 2):
        frame = scene.frame(float(t))
        change = background - frame.image.astype(int)
        shadow = (change.min(axis=2) > 12) & (frame.mask == 0)
        darkened += int(shadow.sum())
        brightened = (change.max(axis=2) < -40) & (frame.mask == 0)
        assert brightened.mean() < 0.01
    assert darkened > 50


def test_people_move() -> None:
    scene = RenderedScene("corridor", 1, SIZE)
    masks = [scene.frame(t / 2).mask for t in range(40)]
    present = [m for m in masks if m.any()]
    assert any(not np.array_equal(a, b) for a, b in pairwise(present))


def test_camouflage_lowers_the_contrast_and_keeps_the_mask() -> None:
    scene = RenderedScene("room", 2, SIZE)
    moment = next(t for t in range(40) if (scene.frame(t).mask == FOREGROUND).sum() > 100)
    background = scene.background().image.astype(int)
    plain, hidden = scene.frame(moment), scene.frame(moment, camouflage=True)
    inside = plain.mask == FOREGROUND

    def contrast(image: np.ndarray) -> float:
        return float(np.abs(image.astype(int) - background)[inside].mean())

    assert contrast(hidden.image) < contrast(plain.image)
    assert np.array_equal(plain.mask, hidden.mask)


@pytest.mark.parametrize("size", [(224, 224), (192, 320)])
def test_sizes(size: tuple[int, int]) -> None:
    sample = Rendered(1, size)[0]
    assert sample.bg.shape == (*size, 3)
    assert sample.depth is not None
    assert sample.depth.shape == size
    assert 0 <= sample.depth.min() < sample.depth.max() <= 1


@pytest.mark.parametrize("size", [(96, 128), (128, 96), (64, 160)])
def test_three_of_four_scenes_have_a_spread_and_two_of_them_live(size: tuple[int, int]) -> None:
    """As far as the empty frames stray from the background, so far does the spread say."""
    rendered = Rendered(32, size, seed=2)
    scenes = [rendered._scene(number) for number in range(4)]
    assert [scene.life is not None for scene in scenes] == [False, True, True, False]
    assert rendered[24].spread is None
    still, *living = (scene.spread for scene in scenes[:3])
    assert still is not None
    for spread in (still, *living):
        assert spread is not None
        assert spread.shape == (*size, 3) and spread.dtype == np.uint8
        assert (np.diff(spread.astype(int), axis=2) >= 0).all()  # quantiles
        assert spread[..., 2].mean() > 1  # noise is everywhere
    assert max(spread.mean() for spread in living if spread is not None) > 1.5 * still.mean()


def test_what_lives_is_background_and_hides_no_object() -> None:
    """Of a frame whose scene lives, objects keep their pixels and everything else may change, as
    far as the spread says."""
    rendered = Rendered(16, (120, 160), seed=2)
    scene = rendered._scene(1)
    assert scene.life is not None and scene.spread is not None
    rng = np.random.default_rng(0)
    frame = next(f for t in range(40) if (f := scene.rendered.frame(t)).mask.sum() > 255 * 300)
    covered = frame.share == 1
    assert (frame.mask[covered] == FOREGROUND).all() and covered.any()
    strayed = []
    for _ in range(20):
        image = scene.image(frame, rng)
        assert np.array_equal(image[covered], frame.image[covered])
        strayed.append(np.abs(image.astype(int) - frame.image).max(axis=2)[frame.share == 0])
    far, spread = np.quantile(strayed, 0.8, axis=0), scene.spread[..., 1][frame.share == 0]
    assert far.mean() > 1
    assert np.corrcoef(far, spread)[0, 1] > 0.6


def test_an_index_out_of_range_and_an_unknown_kind_are_refused() -> None:
    with pytest.raises(IndexError):
        Rendered(3, SIZE)[3]
    with pytest.raises(ValueError, match="unknown kind"):
        RenderedScene("cellar", 0, SIZE)


PIXELS = Path(__file__).with_name("pixels.json")


def described() -> list[list[float]]:
    """Of twelve scenes the brightness of a frame and its background in blocks of 16 x 16 pixels,
    the pixels of its mask, and the means of its depth (1/1000) and its spread."""
    rendered = Rendered(12, (48, 64), seed=3, frames_per_scene=1)
    found = []
    for number in range(len(rendered)):
        sample = rendered[number]
        assert sample.depth is not None
        images = [image.astype(np.float32) for image in (sample.bg, sample.fg_bg)]
        blocks = [cv2.resize(image, (4, 3), interpolation=cv2.INTER_AREA) for image in images]
        spread = 0.0 if sample.spread is None else float(sample.spread.mean())
        values = [int((sample.mask == FOREGROUND).sum()), 1e3 * float(sample.depth.mean()), spread]
        found.append([round(float(v), 1) for v in [*values, *np.ravel(blocks)]])
    return found


def test_the_pixels_of_a_version_stay() -> None:
    """Stored activation ranges, and the reports of `rendered:N`, are of these pixels: where they
    change, VERSION goes up. `python -m tests.calibrate.rendering.test_samples` prints PIXELS."""
    kept = json.loads(PIXELS.read_text())
    assert kept["version"] == VERSION
    for now, was in zip(described(), kept["scenes"], strict=True):
        assert now == pytest.approx(was, abs=1.5, rel=0.005)


if __name__ == "__main__":
    scenes = ",\n".join(json.dumps(scene, separators=(",", ":")) for scene in described())
    print(f'{{"version": {VERSION}, "scenes": [\n{scenes}\n]}}')
