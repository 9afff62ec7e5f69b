"""Leaves that move and people before them, in the mask of a network that takes for new whatever
differs from the background."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from edge.calibrate.rendering.life import Life, to_image
from edge.samples.sample import Image
from edge.scene.spread import deviation, spread_of
from edge.scene.sway import AGO_S, ALIKE, MOVES, Sway, explained, moved_range

SIZE = 96
LEAVES = np.s_[40:, :]
"""Where the scene moves."""
Field = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def bg() -> Image:
    """Leaves of a few pixels over a lawn, all of them green."""
    rng = np.random.default_rng(0)
    fine = cv2.GaussianBlur(rng.normal(0, 150, (SIZE, SIZE)), (0, 0), 1.5)[..., None]
    leaves = np.array((60, 120, 70)) + fine * (1, 1.2, 0.8)
    return np.asarray(np.clip(leaves, 0, 255), np.uint8)


@pytest.fixture(scope="module")
def moments(bg: Image) -> list[Image]:
    region = np.zeros((SIZE, SIZE), np.float32)
    region[LEAVES] = 1
    soft = np.asarray(cv2.GaussianBlur(region, (0, 0), 2), np.float32)
    life = Life(soft, sway=2.0, cells=(12, 12))
    rng = np.random.default_rng(1)
    return [to_image(life.moment(bg.astype(np.float32), rng)) for _ in range(24)]


@pytest.fixture(scope="module")
def spread(bg: Image, moments: list[Image]) -> Image:
    return spread_of(moments, bg)


def differing(image: Image, bg: Image) -> Field:
    return (deviation(image, bg) > 25).astype(np.float32)


def left_of(
    sway: Sway, bg: Image, frames: list[Image], step: float = 0.25
) -> Iterator[tuple[Field, npt.NDArray[np.generic]]]:
    """The mask of each frame before and after."""
    for number, frame in enumerate(frames):
        mask = differing(frame, bg)
        yield mask, sway.without(mask, frame, 100 + number * step)


def put(image: Image, coat: Image, x: int, y: int = 50) -> npt.NDArray[np.bool_]:
    """Draw a person; returns where."""
    where = np.zeros((SIZE, SIZE), np.uint8)
    cv2.ellipse(where, (x, y + 20), (7, 20), 0, 0, 360, 1, -1)
    image[where > 0] = coat[where > 0]
    return where > 0


STRIPES = np.broadcast_to(
    np.where(np.arange(SIZE)[:, None, None] // 6 % 2, (200, 30, 20), (235, 40, 225)),
    (SIZE, SIZE, 3),
)


def test_leaves_are_taken_out_once_it_is_known_that_they_move(
    bg: Image, moments: list[Image], spread: Image
) -> None:
    found = list(left_of(Sway(bg, spread), bg, moments))
    before, after = (np.array([pair[i].mean() for pair in found]) for i in (0, 1))
    assert before.min() > 0.1  # the trap
    assert np.array_equal(after[: round(AGO_S / 0.25)], before[: round(AGO_S / 0.25)])
    assert after[round(AGO_S / 0.25) :].mean() < 0.2 * before.mean()  # specks stay


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_a_mask_stays_as_the_build_gave_it(
    bg: Image, moments: list[Image], spread: Image, dtype: type[np.generic]
) -> None:
    sway = Sway(bg, spread)
    white = 255 if dtype is np.uint8 else 1
    taken = 0
    for number, frame in enumerate(moments[:8]):
        mask = (white * differing(frame, bg)).astype(dtype)
        mask.flags.writeable = False
        left = sway.without(mask, frame, number)  # type: ignore[arg-type]
        assert left.dtype == dtype and left.shape == mask.shape
        assert (left <= mask).all()
        taken += int((left < mask).sum())
    assert taken > 0


def standing(number: int) -> int:
    return 40


def walking(number: int) -> int:
    return 10 + 3 * number


@pytest.mark.parametrize("where", [standing, walking])
def test_people_before_leaves_stay(
    bg: Image, moments: list[Image], spread: Image, where: Callable[[int], int]
) -> None:
    frames = [frame.copy() for frame in moments]
    shapes = [put(frame, STRIPES, where(number)) for number, frame in enumerate(frames)]
    for shape, (_, left) in zip(shapes, left_of(Sway(bg, spread), bg, frames), strict=True):
        assert left[shape].mean() > 0.98


@pytest.mark.parametrize("step", [0.04, 0.25, 3.0])
@pytest.mark.parametrize("fidgets", [0, 1])
def test_somebody_in_the_colours_of_the_leaves_never_vanishes_while_he_stands(
    bg: Image, moments: list[Image], spread: Image, step: float, fidgets: int
) -> None:
    """The moved background explains him; he is known by looking as he did a second ago. His coat is
    the leaves themselves, or one of their colours where he fidgets."""
    coat = cv2.blur(bg, (31, 31)) if fidgets else np.roll(bg, (5, 5), (0, 1))
    frames = [np.array(frame) for frame in (moments * 5 if step < 0.1 else moments)]
    shapes = []
    for number, frame in enumerate(frames):
        x = 40 + fidgets * (number // 3 % 2)
        shapes.append(put(frame, np.roll(coat, x - 40, 1), x))
        # The leaves around him rest, so that he is a part of the mask of his own.
        rim = cv2.dilate(shapes[-1].view(np.uint8), np.ones((7, 7))) > 0
        frame[rim & ~shapes[-1]] = bg[rim & ~shapes[-1]]
    low, high = moved_range(bg)
    assert explained(frames[-1], low, high)[shapes[-1]].mean() > 0.9  # the trap
    for shape, (before, left) in zip(
        shapes, left_of(Sway(bg, spread), bg, frames, step), strict=True
    ):
        assert left[shape].sum() > 0.98 * before[shape].sum()


def test_a_calm_scene_and_one_where_cars_pass_are_left_alone(
    bg: Image, moments: list[Image], spread: Image
) -> None:
    passing = spread.copy()
    passing[..., 0] = 3
    for known in (None, np.zeros_like(bg), passing):
        sway = Sway(bg, known)
        for number, frame in enumerate(moments[:4]):
            mask = differing(frame, bg)
            assert sway.without(mask, frame, 2.0 * number) is mask


def test_frames_are_compared_where_they_lie_on_the_background(
    bg: Image, moments: list[Image], spread: Image
) -> None:
    """Left of column 48 alone the scene moves; a frame is off by six pixels to the right."""
    half = spread.copy()
    half[:, 48:] = 0
    sway = Sway(bg, half)
    parts = np.zeros((SIZE, SIZE), np.float32)
    parts[60:80, 46:52] = 1
    for number, frame in enumerate(moments[:3]):
        off = np.roll(frame, 6, axis=1)
        still, moved = parts, sway.without(parts, off, 2.0 * number, (6.0, 0.0))
    assert moved is not still and not moved.any()
    again = Sway(bg, half)
    for number, frame in enumerate(moments[:3]):
        assert again.without(parts, np.roll(frame, 6, axis=1), 2.0 * number) is parts


@pytest.mark.parametrize("offset", [(4.0, 4.0), (-4.0, -4.0), (4.0, -4.0)])
def test_a_part_at_the_border_or_of_the_whole_frame_is_looked_at(
    bg: Image, moments: list[Image], spread: Image, offset: tuple[float, float]
) -> None:
    sway, mask = Sway(bg, spread), np.ones((SIZE, SIZE), np.float32)
    for number, frame in enumerate(moments[:3]):
        assert sway.without(mask, frame, 2.0 * number, offset).shape == mask.shape


def test_a_source_that_begins_again_has_no_past(
    bg: Image, moments: list[Image], spread: Image
) -> None:
    sway = Sway(bg, spread)
    masks = [differing(frame, bg) for frame in moments]
    sway.without(masks[0], moments[0], 500.0)
    assert sway.without(masks[1], moments[1], 502.0) is not masks[1]
    assert sway.without(masks[2], moments[2], 0.0) is masks[2]
    assert sway.without(masks[3], moments[3], 0.5) is masks[3]
    assert sway.without(masks[4], moments[4], 1.5) is not masks[4]


def test_what_the_moved_background_explains() -> None:
    rng = np.random.default_rng(4)
    bg, image = rng.integers(0, 256, (2, 56, 60, 3), np.uint8)
    image[::2] = np.roll(bg, (1, -2), (0, 1))[::2]
    reach = round(MOVES * 56)
    expected = np.zeros((56, 60), bool)
    for y, x in np.ndindex(expected.shape):
        near = bg[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
        near = near.reshape(-1, 3).astype(int)
        least, most = near.min(0) - ALIKE, near.max(0) + ALIKE
        expected[y, x] = ((least <= image[y, x]) & (image[y, x] <= most)).all()
    found = explained(image, *moved_range(bg))
    assert 0.2 < found.mean() < 1
    assert np.array_equal(found, expected)
