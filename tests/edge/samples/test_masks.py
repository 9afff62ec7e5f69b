"""Masks as programs write them: what is certain is read, the rest is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.samples.masks import MaskSet, from_codes, values_of
from edge.samples.open import open_samples
from edge.samples.sample import BACKGROUND, FOREGROUND, IGNORED, SampleError

Stored = np.ndarray
TRUTH = np.zeros((40, 40), np.uint8)
TRUTH[10:30, 5:20] = 255
FULL = np.full_like(TRUTH, 255)


def coloured(*channels: int) -> Callable[[Stored], Stored]:
    def write(mask: Stored) -> Stored:
        image = np.zeros((*mask.shape, 3), np.uint8)
        image[..., list(channels)] = mask[..., None]
        return image

    return write


CERTAIN: dict[str, Callable[[Stored], Stored]] = {
    "0 and 255": lambda m: m,
    "0 and 1": lambda m: (m > 0).astype(np.uint8),
    "16 bits": lambda m: m.astype(np.uint16) * 257,
    "16 bits, 0 and 1": lambda m: (m > 0).astype(np.uint16),
    "16 bits, 0 and 255": lambda m: m.astype(np.uint16),
    "float, 0 and 1": lambda m: (m > 0).astype(np.float32),
    "white": coloured(0, 1, 2),
    "blue": coloured(0),
    "green": coloured(1),
    "red": coloured(2),
    "yellow": coloured(1, 2),
    "red, 0 and 1": lambda m: coloured(2)((m > 0).astype(np.uint8)),
    "alpha on white": lambda m: np.dstack([FULL] * 3 + [m]),
    "alpha on black": lambda m: np.dstack([FULL * 0] * 3 + [m]),
    "alpha, 0 and 1": lambda m: np.dstack([FULL] * 3 + [(m > 0).astype(np.uint8)]),
    "opaque white": lambda m: np.dstack([m] * 3 + [FULL]),
    "alpha and colours alike": lambda m: np.dstack([m] * 4),
}
UNCERTAIN: dict[str, Callable[[Stored], Stored]] = {
    "numbers of objects": lambda m: np.where(m > 0, 3, 0).astype(np.uint8) + np.eye(40, dtype="u1"),
    "one grey": lambda m: np.where(m > 0, 100, 0).astype(np.uint8),
    "classes and void": lambda m: (m > 0).astype(np.uint8) | (255 * np.eye(40, dtype="u1")),
    "two colours": lambda m: coloured(2)(m) + coloured(1)(255 - m),
    "12 bits": lambda m: (m > 0).astype(np.uint16) * 4095,
    "transparent everywhere": lambda m: np.dstack([m] * 3 + [FULL * 0]),
    "alpha against colours": lambda m: np.dstack([m] * 3 + [255 - m]),
    "negative": lambda m: np.where(m > 0, 1, -1).astype(np.float32),
}  # fmt: skip


def read(masks: list[Stored], *, codes: bool) -> list[Stored]:
    names = [f"{i}.png" for i in range(len(masks))]
    mask_set = MaskSet(names, lambda name: masks[names.index(name)], codes=codes)
    return [mask_set.labels(name) for name in names]


@pytest.mark.parametrize("codes", [False, True])
@pytest.mark.parametrize("way", CERTAIN)
def test_what_is_certain_is_read(way: str, codes: bool) -> None:
    empty, labels = read([CERTAIN[way](TRUTH * 0), CERTAIN[way](TRUTH)], codes=codes)
    assert np.array_equal(labels, TRUTH)
    assert not empty.any()


@pytest.mark.parametrize("codes", [False, True])
@pytest.mark.parametrize("way", UNCERTAIN)
def test_what_is_not_certain_is_refused_by_its_values(way: str, codes: bool) -> None:
    with pytest.raises(SampleError, match=r"unknown which values of the masks are foreground.*\d"):
        read([UNCERTAIN[way](TRUTH)], codes=codes)


def test_soft_masks_stay_soft_and_codes_stay_codes() -> None:
    soft = TRUTH.copy()
    soft[10, 5:20] = 128
    (labels,) = read([soft], codes=False)
    assert set(labels[10]) == {BACKGROUND, IGNORED}
    codes = np.array([[0, 50, 85, 170, 255]], np.uint8)
    expected = [BACKGROUND, BACKGROUND, IGNORED, IGNORED, FOREGROUND]
    assert read([codes], codes=True)[0].tolist() == [expected]
    assert read([codes.astype(np.uint16) * 257], codes=True)[0].tolist() == [expected]
    assert read([codes[:, :4]], codes=True)[0].tolist() == [expected[:4]]


def test_a_mask_is_read_alike_whatever_was_read_before() -> None:
    """Of a set in 0..255, one mask of 0 and 1 is a noisy empty one, not all foreground."""
    soft = TRUTH.copy()
    soft[10] = 128
    masks = [soft, (TRUTH > 0).astype(np.uint8)]
    assert not read(masks, codes=False)[1].any()
    assert not read(masks[::-1], codes=False)[0].any()


def test_a_late_mask_of_another_kind_is_refused() -> None:
    """The sixteen masks that are looked at are all empty, and the next one is not."""
    masks = [TRUTH * 0] * 40
    masks[1] = UNCERTAIN["numbers of objects"](TRUTH)
    with pytest.raises(SampleError, match="0 1 3 4"):
        read(masks, codes=False)
    masks[1] = CERTAIN["0 and 1"](TRUTH)
    assert np.array_equal(read(masks, codes=False)[1], TRUTH)


def test_labels_in_jpeg_are_moved_to_their_codes(tmp_path: Path) -> None:
    for part in ("input", "groundtruth"):
        (tmp_path / part).mkdir()
    image = np.zeros((40, 40, 3), np.uint8)
    for name in ("bg.png", "input/1.png"):
        cv2.imwrite(str(tmp_path / name), image)
    cv2.imwrite(str(tmp_path / "groundtruth" / "1.jpg"), TRUTH)
    labels = open_samples(tmp_path)[0].mask
    assert ((labels == FOREGROUND) == (TRUTH > 0)).mean() > 0.99
    assert (labels == IGNORED).mean() < 0.05
    assert from_codes(np.array([[7]], np.uint8))[0, 0] == IGNORED


def test_many_values_of_16_bits_are_kept_few() -> None:
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    levels = values_of(ramp).levels[0]
    assert max(levels) == 65535 and len(levels) <= 257
