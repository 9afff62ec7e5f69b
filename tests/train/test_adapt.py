"""Labels of unlabelled footage, and what they are written as."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edge.errors import EdgeError
from edge.samples.sample import BACKGROUND, FOREGROUND, IGNORED, Sample
from edge.samples.sequences import Sequences
from edge.train.adapt import (
    compose,
    label_frames,
    refuse_unsure,
    share_objects,
    write_sequence,
)
from edge.train.data.crops import Crops
from edge.train.data.cutouts import Cutout

SIZE = 64
Scene = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.float32]]


def cutout(name: str) -> Cutout:
    return Cutout(name, np.full((20, 10, 3), 250, np.uint8), np.full((20, 10), 255, np.uint8))


@pytest.fixture
def scene() -> Scene:
    """Leaves, eight frames in which some of them sway and a white square walks below, and a network
    that sees both."""
    bg = np.random.default_rng(0).integers(0, 200, (SIZE, SIZE, 3), np.uint8)
    frames = np.stack([bg] * 8)
    probabilities = np.zeros((8, SIZE, SIZE), np.float32)
    for number, frame in enumerate(frames):
        frame[10:30, 4:24] = np.roll(bg, (number % 3 - 1, number % 5 - 2), (0, 1))[10:30, 4:24]
        probabilities[number, 10:30, 4:24] = 0.9
        left = 36 + 2 * number
        frame[40:52, left : left + 12] = 255
        probabilities[number, 40:52, left : left + 12] = 0.9
    return bg, frames, probabilities


def test_what_moves_by_itself_is_background_and_what_walks_is_not(scene: Scene) -> None:
    bg, frames, probabilities = scene
    labels = label_frames(frames, bg, probabilities)
    assert (labels[:, 10:30, 4:24] == BACKGROUND).all()
    for number in range(8):
        left = 36 + 2 * number
        assert (labels[number, 40:52, left : left + 12] == FOREGROUND).all()
    assert (labels[:, :8] == BACKGROUND).all()


@pytest.mark.parametrize(
    ("probability", "label"),
    [(0.0, BACKGROUND), (0.2, BACKGROUND), (0.25, IGNORED), (0.75, IGNORED), (0.85, FOREGROUND)],
)
def test_only_what_the_network_is_sure_of_is_labelled(probability: float, label: int) -> None:
    bg = np.zeros((SIZE, SIZE, 3), np.uint8)
    frames = np.full((1, SIZE, SIZE, 3), 200, np.uint8)
    labels = label_frames(frames, bg, np.full((1, SIZE, SIZE), probability, np.float32))
    assert (labels == label).all()


def test_a_scene_that_the_network_is_unsure_of_is_refused() -> None:
    labels = np.full((2, 10, 10), BACKGROUND, np.uint8)
    labels[0, :2] = IGNORED
    refuse_unsure(labels, "yard.mp4", "nano")
    labels[1, 0, 0] = IGNORED
    with pytest.raises(EdgeError, match=r"yard\.mp4: nano is unsure of 10 % of the pixels"):
        refuse_unsure(labels, "yard.mp4", "nano")


def test_a_written_sequence_is_read_with_the_same_labels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    bg, spread = rng.integers(0, 256, (2, SIZE, SIZE, 3), np.uint8)
    samples = []
    for number in range(3):
        mask = rng.choice(np.array([BACKGROUND, FOREGROUND, IGNORED], np.uint8), (SIZE, SIZE))
        frame = rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8)
        samples.append(Sample(f"a/{number}", bg, frame, mask, spread=spread))
    write_sequence(tmp_path / "site", samples)
    read = Sequences(tmp_path / "site")
    assert len(read) == 3
    for sample, again in zip(samples, (read[i] for i in range(3)), strict=True):
        assert again.spread is not None
        for name in ("bg", "fg_bg", "mask", "spread"):
            assert np.array_equal(getattr(sample, name), getattr(again, name)), name


def test_composites_paste_things_and_keep_what_is_ignored() -> None:
    grey = np.full((SIZE, SIZE, 3), 90, np.uint8)
    mask = np.full((SIZE, SIZE), BACKGROUND, np.uint8)
    mask[:4] = IGNORED
    given = [Sample("a/0", grey, grey, mask)] * 12
    composed = compose(given, [cutout("white")], seed=3)
    pasted = [(sample.mask == FOREGROUND).any() for sample in composed]
    assert sum(pasted) > 6
    assert all(((s.mask[:4] == IGNORED) | (s.mask[:4] == FOREGROUND)).all() for s in composed)
    assert (given[0].mask == mask).all()
    assert (given[0].fg_bg == 90).all()
    again = compose(given, [cutout("white")], seed=3)
    assert all(np.array_equal(a.fg_bg, b.fg_bg) for a, b in zip(composed, again, strict=True))


def test_rendered_objects_are_pasted_as_often_as_the_cameras_own(tmp_path: Path) -> None:
    grey = np.full((SIZE, SIZE, 3), 90, np.uint8)
    samples = [Sample("a/0", grey, grey, np.zeros((SIZE, SIZE), np.uint8))] * 2
    write_sequence(tmp_path / "site", samples)
    crops = Crops(Sequences(tmp_path / "site"), [0, 1], 32, None)
    crops.cutouts = [cutout("own")]
    share_objects([(crops, 1.0)], [cutout(f"other {i}") for i in range(7)])
    names = [c.name for c in crops.cutouts]
    assert names.count("own") == 7
    assert len(names) == 14
