from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.calibrate.samples import open_samples
from edge.samples.masks import from_codes
from edge.samples.sample import (
    BACKGROUND,
    FOREGROUND,
    IGNORED,
    Sample,
    SampleError,
    evenly_spaced,
    iter_readable,
    resize_sample,
)
from edge.samples.sequences import Sequences, background_of, frames_of


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


def test_the_spread_beside_the_background_is_read(tmp_path: Path) -> None:
    folder = make_sequence(tmp_path / "a")
    assert Sequences(folder)[0].spread is None
    before = Sequences(folder).fingerprint()
    spread = np.random.default_rng(2).integers(0, 60, (24, 32, 3), np.uint8)
    cv2.imwrite(str(folder / "bg.spread.png"), spread)
    sequences = Sequences(folder)
    for sample in (sequences[0], sequences[2]):
        assert sample.spread is not None and np.array_equal(sample.spread, spread)
    assert sequences.fingerprint() != before
    assert resize_sample(sequences[0], 12, 16).inputs()["spread"].shape == (1, 12, 16, 3)
    # One of another background says nothing.
    (folder / "bg.png").rename(folder / "background.png")
    assert Sequences(folder)[0].spread is None
    (folder / "bg.spread.png").rename(folder / "background.spread.png")
    assert Sequences(folder)[0].spread is not None


@pytest.mark.parametrize(
    ("content", "words"), [(b"no image", "bg.spread.png"), (None, "spread is 9x7, fg_bg is 32x24")]
)
def test_a_spread_that_does_not_fit_is_named(
    content: bytes | None, words: str, tmp_path: Path
) -> None:
    folder = make_sequence(tmp_path / "a")
    if content is None:
        cv2.imwrite(str(folder / "bg.spread.png"), np.zeros((7, 9, 3), np.uint8))
    else:
        (folder / "bg.spread.png").write_bytes(content)
    sequences = Sequences(folder)
    with pytest.raises(SampleError, match=words):
        sequences[0]
    assert list(sequences.skipped) == ["a/000000"]


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


def box_at(left: int) -> tuple[np.ndarray, np.ndarray]:
    """A frame of a textured scene with a box, and its label codes."""
    scene = np.random.default_rng(3).integers(60, 200, (4, 6, 3), np.uint8)
    scene = cv2.resize(scene, (60, 40), interpolation=cv2.INTER_CUBIC)
    labels = np.zeros((40, 60), np.uint8)
    scene[15:25, left : left + 10], labels[15:25, left : left + 10] = 255, 255
    return scene, labels


def cdnet(folder: Path) -> Path:
    """A sequence as CDnet is downloaded: frames 3 to 8 of 8 are labelled, the upper rows are
    outside the region of interest."""
    for part in ("input", "groundtruth"):
        (folder / part).mkdir(parents=True)
    for number in range(1, 9):
        image, labels = box_at(6 * (number - 1))
        if number < 3:
            labels[:] = 85
        cv2.imwrite(
            str(folder / "input" / f"in{number:06d}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 100]
        )
        cv2.imwrite(str(folder / "groundtruth" / f"gt{number:06d}.png"), labels)
    (folder / "temporalROI.txt").write_text("3 8")
    roi = np.full((40, 60), 255, np.uint8)
    roi[:5] = 0
    for name in ("ROI.bmp", "ROI.jpg"):
        cv2.imwrite(str(folder / name), roi)
    return folder


def test_cdnet_is_read_as_it_is_downloaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = cdnet(tmp_path / "dataset" / "baseline" / "highway")
    cdnet(tmp_path / "dataset" / "night" / "street")
    samples = open_samples(str(tmp_path))
    assert len(samples) == 12
    assert {samples.sequence(i) for i in range(12)} == {"highway", "street"}
    assert samples.skipped == {}
    sample = samples[0]
    assert sample.name == "highway/in000003"
    assert (sample.mask[:5] == IGNORED).all()
    assert (sample.mask[15:25, 12:22] == FOREGROUND).all()
    # The scene where the boxes were not: a box covers every place of its path in two frames of six.
    scene = box_at(0)[0]
    scene[15:25, :10] = sample.bg[15:25, :10]
    assert np.abs(scene.astype(int) - sample.bg).max() < 20
    assert "highway: no bg.png; the background is the median of" in capsys.readouterr().err
    assert not list(folder.glob("bg*"))
    bg, spread = background_of(folder)
    assert np.array_equal(bg, sample.bg) and spread is None


def test_pixels_that_are_never_empty_are_ignored(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    for part in ("input", "groundtruth"):
        (folder / part).mkdir(parents=True)
    image, labels = box_at(20)
    for number in range(3):
        cv2.imwrite(str(folder / "input" / f"{number}.png"), image)
        cv2.imwrite(str(folder / "groundtruth" / f"{number}.png"), labels)
    mask = Sequences(folder)[0].mask
    assert (mask[12:28, 17:33] == IGNORED).all()
    assert (mask[:10] == BACKGROUND).all()


def test_frames_and_background_of_a_labelled_folder(tmp_path: Path) -> None:
    folder = make_sequence(tmp_path / "a", frames=12)
    for path in (folder / "input").iterdir():
        path.rename(path.with_name(f"{int(path.stem)}.png"))
    assert [path.name for path in frames_of(folder)] == [f"{i}.png" for i in range(12)]
    given = cv2.imread(str(folder / "bg.png"))
    assert given is not None
    cv2.imwrite(str(folder / "bg.spread.png"), given // 3)
    for expected, found in zip((given, given // 3), background_of(folder), strict=True):
        assert np.array_equal(expected, found)
    cv2.imwrite(str(folder / "bg.spread.png"), given[:20])
    with pytest.raises(SampleError, match=r"the spread is \d+x20, the background \d+x\d+"):
        background_of(folder)
    with pytest.raises(SampleError, match="no frames in"):
        frames_of(tmp_path)


def test_frames_without_a_label_are_named(tmp_path: Path) -> None:
    folder = make_sequence(tmp_path / "a", frames=4)
    (folder / "groundtruth" / "000001.png").unlink()
    samples = Sequences(folder)
    assert len(samples) == 3
    assert samples.skipped == {"a/000001.png": "it has no label"}


@pytest.mark.parametrize("text", ["", "3", "a b", "1 2 3", "6 3", "3, 6"])
def test_a_temporal_roi_that_is_none_is_named(text: str, tmp_path: Path) -> None:
    folder = cdnet(tmp_path / "a")
    (folder / "temporalROI.txt").write_text(text)
    with pytest.raises(SampleError, match=r"temporalROI\.txt holds .* expected the first and the"):
        Sequences(folder)


def test_a_temporal_roi_with_the_mark_of_a_windows_editor(tmp_path: Path) -> None:
    folder = cdnet(tmp_path / "a")
    (folder / "temporalROI.txt").write_bytes(b"\xef\xbb\xbf4 6\r\n")
    assert len(Sequences(folder)) == 3


def test_frames_of_two_sizes_do_not_depend_on_what_was_read_before(tmp_path: Path) -> None:
    folder = make_sequence(tmp_path / "a", frames=4)
    for part in ("input", "groundtruth"):
        cv2.imwrite(str(folder / part / "000000.png"), np.zeros((48, 64), np.uint8))
    for order in ((0, 1, 2), (2, 1, 0)):
        samples = Sequences(folder)
        names = [sample.name for sample in iter_readable(samples, order)]
        assert sorted(names) == ["a/000001", "a/000002"]
        assert samples.skipped == {"a/000000": "sample a/000000: bg is 32x24, fg_bg is 64x48"}


def test_sequences_and_rgbd_are_not_read_together(tmp_path: Path) -> None:
    make_sequence(tmp_path / "sequences" / "a")
    for part in ("rgb", "depth"):
        (tmp_path / "rgbd" / "b" / part).mkdir(parents=True)
    with pytest.raises(SampleError, match=r"sequences/a.* and RGB-D .*rgbd/b"):
        open_samples(str(tmp_path))


def test_a_folder_without_any_label_names_a_frame_and_why(tmp_path: Path) -> None:
    for name in ("hall", "yard"):
        for label in (make_sequence(tmp_path / name) / "groundtruth").iterdir():
            label.unlink()
    with pytest.raises(SampleError, match=r"no labelled frames in .*; hall/.*: it has no label$"):
        Sequences(tmp_path)
