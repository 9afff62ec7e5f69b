"""What was learned survives a restart; a damaged file is one sentence."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.scene.background import Background
from edge.scene.bank import BankFolder
from edge.scene.upkeep import Entry, first_entry


def entry(number: int, used: float = 1.0, spread: bool = True) -> Entry:
    rng = np.random.default_rng(number)
    image, confidence, lives = (
        rng.integers(0, 255, shape).astype(np.uint8) for shape in ((24, 32, 3), (24, 32), (8, 8, 3))
    )
    return first_entry(Background(image, confidence, lives if spread else None), number, used)


def same(a: Entry, b: Entry) -> bool:
    one, other = a.background, b.background
    if (one.spread is None) != (other.spread is None):
        return False
    return (
        np.array_equal(one.image, other.image)
        and np.array_equal(one.confidence, other.confidence)
        and (one.spread is None or np.array_equal(one.spread, other.spread))  # type: ignore[arg-type]
        and (a.number, a.used, a.anchor.colour) == (b.number, b.used, b.anchor.colour)
        and a.anchor.distance(b.anchor) == 0
    )


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def bank(tmp_path: Path, told: list[str]) -> BankFolder:
    return BankFolder(tmp_path / "scenes" / "door", "here", "7000:8000", told.append)


def test_a_restart_goes_on_with_the_last_used(bank: BankFolder, told: list[str]) -> None:
    assert bank.read() == []
    entries = [entry(0, 5.0), entry(1, 9.0, spread=False), entry(2, 7.0)]
    for each in entries:
        bank.write(each)
    again = BankFolder(bank.folder, "here")
    found = again.read()
    assert [each.number for each in found] == [1, 2, 0]
    assert all(same(each, entries[each.number]) for each in found)
    assert again.value_range == "7000:8000"
    bank.write(replace(entries[0], used=10.0))
    bank.forget(2)
    assert [each.number for each in bank.read()] == [0, 1]
    assert told == []


def test_another_source_or_background_begins_anew(bank: BankFolder) -> None:
    bank.write(entry(0))
    assert BankFolder(bank.folder, "there").read() == []
    assert bank.read() == []


def test_entries_of_another_size_are_left_out(bank: BankFolder) -> None:
    small = entry(1, 2.0)
    crop = Background(small.background.image[:12], small.background.confidence[:12])
    bank.write(entry(0, 5.0))
    bank.write(replace(small, background=crop))
    assert [each.number for each in bank.read()] == [0]


def archive(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=True, **arrays)
    return stream.getvalue()


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut off": lambda data: data[: len(data) // 2],
    "a flipped byte": flipped,
    "no archive": lambda data: b"\x00" * 400,
    "a text": lambda data: b"hello",
    "another archive": lambda data: archive(x=np.zeros(3)),
    "objects": lambda data: archive(about=np.array([{}], object)),
    "no JSON": lambda data: archive(about=np.frombuffer(b"{", np.uint8)),
    "a list": lambda data: archive(about=np.frombuffer(b"[]", np.uint8)),
    "no image": lambda data: archive(
        about=np.frombuffer(
            b'{"schema": 1, "origin": "here", "range": null, "used": 1, "colour": 1}', np.uint8
        ),
        image=np.zeros(9, np.uint8),
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_one_sentence_and_learned_again(
    damage: str, bank: BankFolder, told: list[str]
) -> None:
    bank.write(entry(0, 5.0))
    bank.write(entry(1, 9.0))
    path = bank.folder / "1.npz"
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert [each.number for each in bank.read()] == [0]
    (sentence,) = told
    assert str(path) in sentence and "damaged" in sentence and "\n" not in sentence
    told.clear()
    assert [each.number for each in bank.read()] == [0] and told == []


def test_a_folder_that_cannot_be_written_is_told_once(tmp_path: Path, told: list[str]) -> None:
    (tmp_path / "file").write_text("")
    bank = BankFolder(tmp_path / "file" / "door", "here", tell=told.append)
    bank.write(entry(0))
    bank.write(entry(0))
    (sentence,) = told
    assert "cannot write" in sentence
