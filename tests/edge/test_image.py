"""Images at a build's size: the right content, no moiré, and clear refusals."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import cv2
import numpy as np
import pytest

from edge.errors import UsageError
from edge.image import fit, resize_image
from edge.runtime.handle import Handle

SIZES = [(480, 640), (720, 1280), (1080, 1920), (240, 320), (481, 643), (136, 200), (224, 500)]


@pytest.mark.parametrize("size", SIZES)
def test_resizing_matches_an_average_over_areas(size: tuple[int, int]) -> None:
    """Compared with OpenCV's INTER_AREA in float, of a smooth image."""
    y, x = np.mgrid[: size[0], : size[1]] / np.array(size)[:, None, None]
    waves = 128 + 60 * np.sin(7 * x + 3 * y) + 60 * np.cos(9 * y)
    image = np.repeat(waves[..., None], 3, 2).astype(np.uint8)
    small = resize_image(image, 224, 224)
    assert small.shape == (224, 224, 3)
    true = cv2.resize(image.astype(np.float32), (224, 224), interpolation=cv2.INTER_AREA)
    assert np.abs(small - true).max() < 4
    assert np.abs(small - true).mean() < 1.2


@pytest.mark.parametrize("blocks", [2, 3, 4])
def test_whole_blocks_are_their_mean(blocks: int, rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (32 * blocks, 48 * blocks, 3), dtype=np.uint8)
    means = image.reshape(32, blocks, 48, blocks, 3).mean((1, 3))
    assert np.abs(resize_image(image, 32, 48) - means).max() <= 1


def test_noise_is_averaged_away(rng: np.random.Generator) -> None:
    """Picking single pixels would keep all of it."""
    noisy = np.clip(rng.normal(128, 20, (960, 1280, 3)), 0, 255).astype(np.uint8)
    assert resize_image(noisy, 224, 224).std() < 20 / 4


def test_an_image_of_the_right_size_is_not_copied() -> None:
    image = np.zeros((32, 48, 3), np.uint8)
    assert resize_image(image, 32, 48) is image


def test_resizing_takes_a_plane_and_fit_does_not() -> None:
    plane = np.zeros((64, 96), np.uint8)
    assert resize_image(plane, 32, 48).shape == (32, 48)
    with pytest.raises(UsageError, match="GRAY2BGR"):
        fit(HANDLE, plane)


HANDLE = cast(Handle, SimpleNamespace(height=32, width=48))

REFUSED = {
    "no image": (None, "is None.*cv2.imread returns None for a file it cannot read"),
    "a list": ([[0]], "is list, expected a numpy array uint8"),
    "16 bit": (np.zeros((8, 8, 3), np.uint16), r"uint16 \[8, 8, 3\].*>> 8"),
    "thermal": (np.zeros((8, 8), np.uint16), r"uint16 \[8, 8\].*cv2.normalize"),
    "float32": (np.zeros((8, 8, 3), np.float32), "float32.*clip.*255"),
    "float64": (np.zeros((8, 8, 3)), "float64.*clip.*255"),
    "float of 0..255": (np.full((8, 8, 3), 90.0), r"it to 8 bit: image\.clip\(0, 255\)"),
    "int64": (np.zeros((8, 8, 3), np.int64), r"int64.*astype\(np.uint8\)"),
    "bool": (np.zeros((8, 8), bool), "bool.*255"),
    "one channel": (np.zeros((8, 8, 1), np.uint8), "GRAY2BGR"),
    "alpha": (np.zeros((8, 8, 4), np.uint8), r"\[8, 8, 4\], expected.*BGRA2BGR"),
    "planar": (np.zeros((3, 8, 8), np.uint8), "transpose"),
    "a batch": (np.zeros((1, 8, 8, 3), np.uint8), r"images\[0\]"),
    "two channels": (np.zeros((8, 8, 2), np.uint8), r"\[8, 8, 2\], expected uint8 \[H, W, 3\] BGR"),
    "no pixels": (np.zeros((0, 8, 3), np.uint8), "has no pixels"),
    "a row": (np.zeros(8, np.uint8), r"\[8\], expected"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_images_are_refused_with_the_conversion(case: str) -> None:
    image, words = REFUSED[case]
    for call in (lambda: fit(HANDLE, image), lambda: resize_image(image, 32, 48)):  # type: ignore[arg-type]
        with pytest.raises(UsageError, match=words):
            call()
