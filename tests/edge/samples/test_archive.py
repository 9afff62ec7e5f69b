"""Zips of the seed's layout as Macs, other programs and other compressions write them."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.samples import archive
from edge.samples.sample import FOREGROUND, SampleError, iter_readable
from edge.samples.seed import SeedLayout

SIDE = 48


def png(image: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", image)[1].tobytes())


def composite(number: int) -> tuple[np.ndarray, np.ndarray]:
    """A grey scene with a white box whose place tells the number, and its mask."""
    frame, mask = np.full((SIDE, SIDE, 3), 90, np.uint8), np.zeros((SIDE, SIDE), np.uint8)
    frame[10:30, 5 * number : 5 * number + 8] = 255
    mask[10:30, 5 * number : 5 * number + 8] = 255
    return frame, mask


def write(
    root: Path,
    names: Callable[[int], tuple[str, str]] = lambda i: (f"h_{i}.png", f"h_{i}.png"),
    count: int = 4,
    compression: int = zipfile.ZIP_STORED,
) -> Path:
    for part in ("bg", "fg_bg", "fg_bg_masks"):
        (root / part).mkdir(parents=True)
    (root / "bg" / "hall.png").write_bytes(png(np.full((SIDE, SIDE, 3), 90, np.uint8)))
    for position, part in enumerate(("fg_bg", "fg_bg_masks")):
        with zipfile.ZipFile(root / part / "hall.zip", "w", compression) as file:
            for number in range(count):
                file.writestr(names(number)[position], png(composite(number)[position]))
    return root


def check(root: Path, count: int = 4) -> SeedLayout:
    """Every sample has its own mask."""
    samples = SeedLayout(root)
    assert len(samples) == count
    for i in range(count):
        sample = samples[i]
        assert np.array_equal(sample.mask == FOREGROUND, sample.fg_bg[..., 0] > 200)
    return samples


def change_headers(path: Path, at: tuple[int, int], code: int) -> None:
    """Write a 16-bit code into every local header and directory entry of a zip."""
    data = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\3\4", at[0]), (b"PK\1\2", at[1])):
        place = 0
        while (place := data.find(magic, place)) >= 0:
            data[place + offset : place + offset + 2] = struct.pack("<H", code)
            place += 4
    path.write_bytes(bytes(data))


def test_members_of_macos_do_not_count(tmp_path: Path) -> None:
    root = write(tmp_path / "a")
    for part in ("fg_bg", "fg_bg_masks"):
        with zipfile.ZipFile(root / part / "hall.zip", "a") as file:
            file.writestr("hall/", b"")
            for name in ("h_0.png", "h_1.png"):
                file.writestr(f"__MACOSX/hall/._{name}", b"\0\5\x16\7")
            for name in (".DS_Store", "Thumbs.db", "readme.txt"):
                file.writestr(name, b"Bud1")
    assert check(root).skipped == {}


def test_equal_stems_in_two_folders_keep_their_masks(tmp_path: Path) -> None:
    names = [("left/0.png", "right/0.png"), ("right/0.png", "left/0.png")]
    root = write(tmp_path / "a", lambda i: names[i], count=2)
    with pytest.raises(AssertionError):
        check(root, 2)  # here the masks really lie in the other folder
    check(write(tmp_path / "b", lambda i: (names[i][0],) * 2, count=2), 2)


def test_frames_without_a_mask_do_not_count(tmp_path: Path) -> None:
    root = write(tmp_path / "a")
    with zipfile.ZipFile(root / "fg_bg" / "hall.zip", "a") as file:
        file.writestr("h_7.png", png(composite(7)[0]))
    assert check(root).skipped == {"hall/h_7.png": "it has no mask"}


def test_upper_case_and_unpacked_zips_are_read(tmp_path: Path) -> None:
    root = write(tmp_path / "a")
    path = root / "fg_bg" / "hall.zip"
    before = SeedLayout(root).fingerprint()
    path.rename(path.with_suffix(".ZIP"))
    check(root)
    with zipfile.ZipFile(path.with_suffix(".ZIP")) as file:
        file.extractall(root / "fg_bg" / "hall")
    path.with_suffix(".ZIP").unlink()
    assert check(root).fingerprint() != before


@pytest.mark.parametrize(
    ("at", "code", "reason"),
    [
        ((8, 10), 9, "compressed with Deflate64, which Python cannot read"),
        ((8, 10), 98, "compressed with PPMd"),
        ((6, 8), 1, "it is encrypted"),
    ],
)
def test_zips_that_python_cannot_read_are_named_with_the_command(
    at: tuple[int, int], code: int, reason: str, tmp_path: Path
) -> None:
    root = write(tmp_path / "a b", compression=zipfile.ZIP_DEFLATED)
    path = root / "fg_bg" / "hall.zip"
    change_headers(path, at, code)
    with pytest.raises(SampleError, match=f"4 images: .*{reason}") as refusal:
        SeedLayout(root)
    assert f"7z x '{path}' -o'{path.with_suffix('')}' && rm '{path}'" in str(refusal.value)


def test_other_zips_are_read_beside_one_that_cannot_be(tmp_path: Path) -> None:
    root = write(tmp_path / "a")
    (root / "bg" / "yard.png").write_bytes((root / "bg" / "hall.png").read_bytes())
    for part in ("fg_bg", "fg_bg_masks"):
        (root / part / "yard.zip").write_bytes((root / part / "hall.zip").read_bytes())
    change_headers(root / "fg_bg" / "yard.zip", (6, 8), 1)
    assert "encrypted" in check(root).skipped["yard.zip"]
    (root / "bg" / "hall.jpg").write_bytes(b"")
    change_headers(root / "fg_bg" / "yard.zip", (6, 8), 0)
    samples = SeedLayout(root)
    assert {samples.sequence(i) for i in range(len(samples))} == {"yard"}
    assert "hall.jpg and hall.png in bg/ have one name" in samples.skipped["hall.zip"]


def test_a_background_does_not_depend_on_the_sizes_read_before(tmp_path: Path) -> None:
    root = write(tmp_path / "a")
    scene = cv2.resize(np.random.default_rng(0).integers(0, 256, (6, 6, 3), np.uint8), (SIDE, SIDE))
    (root / "bg" / "hall.png").write_bytes(png(scene))
    for position, part in enumerate(("fg_bg", "fg_bg_masks")):
        with zipfile.ZipFile(root / part / "hall.zip", "w") as file:
            for number in range(2):
                image = composite(number)[position]
                small = image[::4, ::4] if number == 0 else image
                file.writestr(f"h_{number}.png", png(np.ascontiguousarray(small)))
    samples = SeedLayout(root)
    assert samples[0].bg.shape == (SIDE // 4, SIDE // 4, 3)
    assert np.array_equal(samples[1].bg, scene)


def test_a_truncated_member_is_skipped_by_name(tmp_path: Path) -> None:
    root = write(tmp_path / "a")
    jpeg = cv2.imencode(".jpg", composite(0)[0])[1].tobytes()
    with pytest.warns(UserWarning), zipfile.ZipFile(root / "fg_bg" / "hall.zip", "a") as file:
        file.writestr("h_0.png", jpeg[: len(jpeg) // 2])
    samples = SeedLayout(root)
    assert len(list(iter_readable(samples, range(len(samples))))) == 3
    assert "h_0.png: it is truncated" in samples.skipped["hall/h_0"]


def test_few_zips_are_open_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_OPEN", 1)
    samples = check(write(tmp_path / "a"))
    assert len([key for key in archive._OPEN if key[0] == os.getpid()]) == 1
    assert samples[0].name == "hall/h_0"


@pytest.mark.parametrize(
    "form",
    ["../hall/h_{}", "/hall/h_{}", "./h_{}", "hall\\h_{}", "h\n{}", "-{}", "[b]h_{}", "h%20{}"],
)
def test_any_name_is_read_in_place(form: str, tmp_path: Path) -> None:
    root = write(tmp_path / "a", lambda i: (f"{form.format(i)}.png", f"{form.format(i)}.png"))
    assert check(root).skipped == {}
    assert {path.name for path in tmp_path.iterdir()} == {"a"}


def test_a_member_that_unpacks_to_too_much_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(tmp_path / "a", compression=zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(root / "fg_bg" / "hall.zip", "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("h_9.png", bytes(3_000_000))
    monkeypatch.setattr(archive, "LARGEST", 2_000_000)
    assert check(root).skipped == {"fg_bg/hall/h_9.png": "it has 3 MB, expected at most 2"}


@pytest.mark.parametrize("size", [(SIDE + 1, SIDE), (SIDE // 2, SIDE // 2)])
def test_a_mask_of_another_size_is_named(size: tuple[int, int], tmp_path: Path) -> None:
    root = write(tmp_path / "a")
    with zipfile.ZipFile(root / "fg_bg_masks" / "hall.zip", "w") as file:
        for number in range(4):
            file.writestr(f"h_{number}.png", png(cv2.resize(composite(number)[1], size[::-1])))
    samples = SeedLayout(root)
    assert not list(iter_readable(samples, range(4)))
    told = f"h_0.png: the mask is {size[1]}x{size[0]}, its image is {SIDE}x{SIDE}"
    assert samples.skipped["hall/h_0"].endswith(told)


def test_reasons_are_short_whatever_the_zip_says(tmp_path: Path) -> None:
    """zipfile repeats the names of a damaged zip, which may have 64 kB."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as writer:
        writer.writestr("n" * 300 + ".png", b"")
        writer.writestr("1" * 200 + ".png", b"image")
    data = (tmp_path / "a.zip").read_bytes().replace(b"1" * 200, b"2" * 200, 1)
    (tmp_path / "a.zip").write_bytes(data)
    opened = archive.ZipArchive(tmp_path / "a.zip")
    assert opened.names == ["1" * 200 + ".png"]
    assert list(opened.refused.values()) == ["its name has 304 letters, expected at most 255"]
    with pytest.raises(SampleError) as caught:
        opened.read(opened.names[0])
    assert len(str(caught.value)) == 200
