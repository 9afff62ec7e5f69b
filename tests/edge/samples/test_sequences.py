from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.calibrate.samples import open_samples
from edge.samples.sample import (
    BACKGROUND,
    FOREGROUND,
    IGNORED,
    Sample,
    SampleError,
    evenly_spaced,
    iter_readable,
)
from edge.samples.sequences import Sequences, from_codes


def make_sequence(folder: Path, frames: int = 3, size: tuple[int, int] = (24, 32)) -> Path:
    rng = np.random.default_rng(1)
    for part in ("input", "groundtruth"):
        (folder / part).mkdir(parents=True)
    cv2.imwrite(str(folder / "bg.png"), rng.integers(0, 256, (*size, 3), np.uint8))
    for number in range(frames):
        image = rng.integers(0, 256, (*size, 3), np.uint8)
        labels = rng.choice(np.array([0, 50, 85, 170, 255], np.uint8), size)
        cv2.imwrite(str(folder / "input" / f"{number:06d}.png"), image)
        cv2.imwrite(str(folder / "groundtruth" / f"{number:06d}.png"), labels)
    return folder


def test_codes() -> None:
    codes = np.array([[0, 50, 85, 170, 255, 7]], np.uint8)
    expected = [BACKGROUND, BACKGROUND, IGNORED, IGNORED, FOREGROUND, IGNORED]
    assert from_codes(codes).tolist() == [expected]


def test_one_sequence_and_a_folder_of_them(tmp_path: Path) -> None:
    make_sequence(tmp_path / "a")
    make_sequence(tmp_path / "b", frames=2)
    assert len(open_samples(str(tmp_path / "a"))) == 3
    sequences = open_samples(str(tmp_path))
    assert [sequences.sequence(i) for i in range(len(sequences))] == ["a"] * 3 + ["b"] * 2
    sample = sequences[0]
    assert sample.bg.shape == sample.fg_bg.shape == (24, 32, 3)
    assert set(np.unique(sample.mask)) <= {BACKGROUND, FOREGROUND, IGNORED}
    assert sample.depth is None


def test_a_link_to_a_folder_is_followed(tmp_path: Path) -> None:
    sequence = make_sequence(tmp_path / "disk" / "a")
    (tmp_path / "data" / "a").mkdir(parents=True)
    for part in ("input", "groundtruth"):
        (tmp_path / "data" / "a" / part).mkdir()
        (tmp_path / "data" / "a" / part / "old").symlink_to(sequence / part)
    (tmp_path / "data" / "a" / "bg.png").symlink_to(sequence / "bg.png")
    assert len(open_samples(str(tmp_path / "data"))) == 3


def test_a_broken_frame_is_named_and_skipped(tmp_path: Path) -> None:
    folder = make_sequence(tmp_path / "a")
    (folder / "input" / "000001.png").write_bytes(b"not an image")
    sequences = Sequences(folder)
    assert [sample.name for sample in iter_readable(sequences, [0, 1, 2])] == [
        "a/000000",
        "a/000002",
    ]
    assert list(sequences.skipped) == ["a/000001"]
    with pytest.raises(SampleError, match="000001"):
        sequences[1]


def test_a_frame_of_another_size_is_skipped(tmp_path: Path) -> None:
    folder = make_sequence(tmp_path / "a")
    cv2.imwrite(str(folder / "input" / "000001.png"), np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(SampleError, match="9x9"):
        Sequences(folder)[1]


def test_the_fingerprint_follows_the_pixels(tmp_path: Path) -> None:
    folder = make_sequence(tmp_path / "a")
    before = Sequences(folder).fingerprint()
    assert Sequences(folder).fingerprint() == before
    cv2.imwrite(str(folder / "bg.png"), np.zeros((24, 32, 3), np.uint8))
    assert Sequences(folder).fingerprint() != before


@pytest.mark.parametrize(
    ("place", "words"),
    [("/nowhere", "no folder /nowhere"), ("rendered:x", "expected rendered"), ("{}", "no samples")],
)
def test_other_places_are_refused(place: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(SampleError, match=words):
        open_samples(place.format(tmp_path))


def test_evenly_spaced_indices_cover_the_whole_set() -> None:
    class Ten:
        def __len__(self) -> int:
            return 10

    assert evenly_spaced(Ten(), 4) == [0, 3, 6, 9]  # type: ignore[arg-type]
    assert evenly_spaced(Ten(), 99) == list(range(10))  # type: ignore[arg-type]
    assert evenly_spaced(Ten(), 1) == [0]  # type: ignore[arg-type]


def test_real_sequences(shared: Path) -> None:
    sequences = Sequences(shared / "data" / "sequences")
    assert len({sequences.sequence(i) for i in range(len(sequences))}) >= 8
    assert sequences[0].mask.shape == sequences[0].fg_bg.shape[:2]


def test_a_sequence_without_its_background_does_not_stop_the_others(tmp_path: Path) -> None:
    make_sequence(tmp_path / "a")
    bare = make_sequence(tmp_path / "b")
    before = Sequences(tmp_path).fingerprint()
    (bare / "bg.png").unlink()
    samples = Sequences(tmp_path)
    assert samples.fingerprint() != before
    assert len(list(iter_readable(samples, range(len(samples))))) == 3
    assert sum(name.startswith("b/") for name in samples.skipped) == 3


@pytest.mark.parametrize("level", [0.0, np.nan])
def test_a_depth_map_without_a_value_is_none(level: float) -> None:
    image, mask = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8)
    assert Sample("a", image, image, mask, np.full((4, 4), level, np.float32)).depth is None
