from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.camera.source import Frame
from edge.loop.overlay import OUTLINE, coloured, drawn, outlined, redacted
from edge.loop.pipeline import FrameResult
from edge.scene.background import Background, certain

RNG = np.random.default_rng(0)
FRAME = RNG.integers(0, 256, (120, 160, 3), np.uint8)
MASK = np.zeros((60, 80), np.float32)
MASK[20:40, 30:50] = 1


def result_of(frame: np.ndarray, mask: np.ndarray, depth: np.ndarray | None) -> FrameResult:
    """The frame before a background that equals it."""
    return FrameResult(
        Frame(frame, 0, 0.0, 0.0), mask, depth, 0.0, [], None, certain(frame), True, [], 0.0, 0.0
    )


@pytest.mark.parametrize("mask", [MASK, (MASK * 255).astype(np.uint8)], ids=["float", "bytes"])
def test_the_outline_runs_around_the_mask(mask: np.ndarray) -> None:
    drawn = outlined(FRAME, mask)
    changed = (drawn != FRAME).any(axis=2)
    assert (drawn[changed] == OUTLINE).all()
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max()) == (pytest.approx(40, abs=3), pytest.approx(79, abs=3))
    assert (columns.min(), columns.max()) == (pytest.approx(60, abs=3), pytest.approx(99, abs=3))
    assert not changed[50:70, 70:90].any()


@pytest.mark.parametrize("how", ["fill", "blur"])
def test_the_foreground_is_hidden_and_the_rest_is_untouched(how: str) -> None:
    hidden = redacted(FRAME, MASK, how, certain(FRAME))
    inside, outside = hidden[40:80, 60:100], np.ones((120, 160), bool)
    outside[30:90, 50:110] = False
    assert np.array_equal(hidden[outside], FRAME[outside])
    # Of 40 x 40 pixels of noise only some colours are left.
    assert len(np.unique(inside.reshape(-1, 3), axis=0)) <= (1 if how == "fill" else 64)


@pytest.mark.parametrize("how", ["fill", "blur"])
def test_what_was_taken_out_of_the_mask_is_hidden_all_the_same(how: str) -> None:
    nothing = result_of(FRAME, np.zeros_like(MASK), None)
    assert np.array_equal(drawn(nothing, how), FRAME)
    hidden = drawn(replace(nothing, whole=MASK), how)
    assert np.array_equal(hidden, redacted(FRAME, MASK, how, certain(FRAME)))


def test_near_is_brighter_than_far() -> None:
    depth = np.linspace(0, 1, 80, dtype=np.float32)[None].repeat(60, 0)
    image = coloured(depth, (120, 160))
    assert image.shape == (120, 160, 3)
    light = image[60].astype(float).mean(axis=1)
    assert light[-1] > light[80] > light[0]


@pytest.mark.parametrize("size", [(3, 4), (1, 1), (2, 500)])
@pytest.mark.parametrize("how", ["fill", "blur", None])
def test_tiny_frames_are_drawn(size: tuple[int, int], how: str | None) -> None:
    frame = np.zeros((*size, 3), np.uint8)
    assert drawn(result_of(frame, MASK, MASK), how).shape == (size[0], 2 * size[1], 3)


def test_depth_is_drawn_beside_the_frame() -> None:
    assert np.array_equal(drawn(result_of(FRAME, MASK, None)), outlined(FRAME, MASK))
    image = drawn(result_of(FRAME, MASK, MASK), "fill")
    assert image.shape == (120, 320, 3)
    assert np.array_equal(image[:, 160:], coloured(MASK, (120, 160)))
    assert np.array_equal(
        image[:, :160], outlined(redacted(FRAME, MASK, "fill", certain(FRAME)), MASK)
    )


@pytest.mark.parametrize("how", ["fill", "blur"])
def test_a_person_is_hidden_whatever_the_mask_says(how: str) -> None:
    """Nothing in the mask: what differs from the background is hidden, and so is an unsure part."""
    nothing = np.zeros_like(MASK)
    bg = np.full((120, 160, 3), 120, np.uint8)
    frame = bg.copy()
    frame[40:80, 60:100] = np.random.default_rng(1).integers(0, 80, (40, 40, 3))
    hidden = redacted(frame, nothing, how, certain(bg))
    assert (hidden[42:78, 62:98] != frame[42:78, 62:98]).any(2).mean() > 0.95
    assert np.array_equal(hidden[:30], frame[:30])
    # The person is in the background too, and was hardly ever away.
    confidence = np.full((120, 160), 255, np.uint8)
    confidence[40:80, 60:100] = 20
    hidden = redacted(frame, nothing, how, Background(frame, confidence))
    assert (hidden[42:78, 62:98] != frame[42:78, 62:98]).any(2).mean() > 0.95


def test_the_background_is_moved_with_the_camera() -> None:
    bg = np.random.default_rng(2).integers(0, 256, (120, 160, 3), np.uint8)
    frame = np.roll(bg, (4, 6), (0, 1))
    nothing = np.zeros_like(MASK)
    still = redacted(frame, nothing, "fill", certain(bg), (6.0, 4.0))
    inside = (slice(20, -20), slice(20, -20))
    assert np.array_equal(still[inside], frame[inside])
    assert (redacted(frame, nothing, "fill", certain(bg))[inside] != frame[inside]).any()
