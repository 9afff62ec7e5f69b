"""Pictures at a build's size: the right picture, in the right place, without moiré."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.image import resize_image

SIZES = [(480, 640), (720, 1280), (1080, 1920), (240, 320), (481, 643), (136, 200), (224, 500)]


@pytest.mark.parametrize("size", SIZES)
def test_it_is_the_picture_that_averaging_gives(size: tuple[int, int]) -> None:
    """Against OpenCV's average over areas (in float, of a smooth picture)."""
    y, x = np.mgrid[: size[0], : size[1]] / np.array(size)[:, None, None]
    waves = 128 + 60 * np.sin(7 * x + 3 * y) + 60 * np.cos(9 * y)
    picture = np.repeat(waves[..., None], 3, 2).astype(np.uint8)
    found = resize_image(picture, 224, 224)
    assert found.shape == (224, 224, 3)
    true = cv2.resize(picture.astype(np.float32), (224, 224), interpolation=cv2.INTER_AREA)
    assert np.abs(found - true).max() < 4
    assert np.abs(found - true).mean() < 1.2


@pytest.mark.parametrize("blocks", [2, 3, 4])
def test_whole_blocks_are_their_mean(blocks: int, rng: np.random.Generator) -> None:
    picture = rng.integers(0, 256, (32 * blocks, 48 * blocks, 3), dtype=np.uint8)
    means = picture.reshape(32, blocks, 48, blocks, 3).mean((1, 3))
    assert np.abs(resize_image(picture, 32, 48) - means).max() <= 1


def test_noise_is_averaged_away(rng: np.random.Generator) -> None:
    """Picking single pixels would keep all of it."""
    noisy = np.clip(rng.normal(128, 20, (960, 1280, 3)), 0, 255).astype(np.uint8)
    assert resize_image(noisy, 224, 224).std() < 20 / 4


def test_a_picture_that_fits_is_not_copied() -> None:
    picture = np.zeros((32, 48, 3), np.uint8)
    assert resize_image(picture, 32, 48) is picture
