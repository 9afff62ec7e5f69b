from __future__ import annotations

import numpy as np

from edge.calibrate.rendering.life import Life
from edge.samples.sample import BACKGROUND, FOREGROUND, Sample
from edge.scene.spread import QUANTILES, unknown_spread
from edge.train.augment.photometric import Exposure, augment, haze
from edge.train.data.spreads import exposed, learned_spreads, observe, pass_by

RNG = np.random.default_rng(0)
BG = np.full((64, 64, 3), 96, np.uint8)
TEXTURE = RNG.integers(40, 216, (64, 64, 3), np.uint8)


def test_a_region_that_moves_has_a_spread() -> None:
    region = np.zeros((64, 64), np.float32)
    region[:, :24] = 1
    seen = observe(TEXTURE, Life(region, sway=2.0), np.random.default_rng(0))
    assert seen.spread[:, :20].mean() > 20
    assert not seen.spread[:, 26:].any()
    assert (np.diff(seen.spread.astype(int), axis=-1) >= 0).all()


def test_the_noise_of_a_camera_is_in_its_spread() -> None:
    """The quantiles that are told are those of a thousand noisy images."""
    exposure = Exposure(noise=5.0)
    noisy = [augment(BG, Exposure(noise=5.0, seed=seed)) for seed in range(40)]
    away = np.abs(np.stack(noisy).astype(int) - BG).max(-1)
    told = exposed(unknown_spread(*BG.shape[:2]), BG, exposure)
    for channel, quantile in enumerate(QUANTILES):
        measured = np.quantile(away, quantile)
        assert abs(float(told[..., channel].mean()) - measured) <= 0.1 * measured + 0.5


def test_low_contrast_makes_the_spread_small() -> None:
    table, contrast = haze(np.random.default_rng(3))
    spread = np.full((64, 64, 3), 100, np.uint8)
    found = exposed(spread, BG, Exposure(table))
    assert abs(found.mean() - 100 * contrast) < 12


def test_who_passes_is_in_the_upper_quantiles_only() -> None:
    for seed in range(10):
        spread = pass_by(np.full((64, 64, 3), 2, np.uint8), BG, np.random.default_rng(seed))
        assert (spread[..., 0] == 2).all()
        assert (spread[..., 2] >= 2).all()
        assert (spread[..., 2] > 2).mean() < 0.9


def test_labels_keep_what_is_new_out_of_the_spread() -> None:
    samples = []
    for number in range(20):
        frame, mask = BG.copy(), np.full((64, 64), BACKGROUND, np.uint8)
        columns = slice(8 + number % 4, 20 + number % 4)
        frame[:, columns], mask[:, columns] = 250, FOREGROUND
        samples.append(Sample(f"s/{number}", BG, frame, mask))
    clean, crowded = learned_spreads(samples)
    assert not clean.any()
    assert crowded[:, 12:19].min() == 250 - 96
