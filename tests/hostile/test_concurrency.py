"""Processes that write the same folder and the same file at the same time.

Handles in several threads: tests/edge/runtime/test_handle_threads.py; after a fork: test_shared.py;
signals in the middle of a write, and two processes on one build: test_resources.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.files import NotWritten, atomic_folder, atomic_write

WRITERS, ROUNDS = 4, 25
WRITTEN, REFUSED = 0, 3


def at_once(write: Callable[[int], None]) -> list[int]:
    """Call write(number) in WRITERS processes, ROUNDS times each; their exit codes.

    REFUSED: a process was told once or more that it cannot write, and went on.
    """
    ready, go = os.pipe()
    children = []
    for number in range(WRITERS):
        if child := os.fork():
            children.append(child)
            continue
        code = 1
        try:
            os.close(go)
            os.read(ready, 1)  # ends when the parent has started all
            code = WRITTEN
            for _ in range(ROUNDS):
                try:
                    write(number)
                except NotWritten:
                    code = REFUSED
        finally:
            os._exit(code)
    os.close(ready)
    os.close(go)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def test_one_folder(tmp_path: Path) -> None:
    """It is that of one process, whole; who was told that it cannot write left nothing."""

    def write(number: int) -> None:
        with atomic_folder(tmp_path / "build") as draft:
            for name in ("a", "b", "c"):
                (draft / name).write_text(str(number))

    codes = at_once(write)
    assert set(codes) <= {WRITTEN, REFUSED}
    assert [path.name for path in tmp_path.iterdir()] == ["build"]
    assert len({path.read_text() for path in (tmp_path / "build").iterdir()}) == 1


def test_a_folder_that_another_process_put_there_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the two renames, which is where the ones above meet now and then."""
    place, rename = tmp_path / "build", os.replace
    (place / "former").mkdir(parents=True)

    def replace(source: Path, target: Path) -> None:
        if target == place:
            (place / "theirs").mkdir(parents=True)
        rename(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(NotWritten) as caught, atomic_folder(place) as draft:
        (draft / "ours").touch()
    assert str(caught.value) == (
        f"cannot write {place}: another process wrote it meanwhile, and its folder is kept"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["build"]
    assert [path.name for path in place.iterdir()] == ["theirs"]


def test_one_file(tmp_path: Path) -> None:
    def write(number: int) -> None:
        with atomic_write(tmp_path / "file") as draft:
            draft.write_bytes(bytes([number]) * (1 << 16))
        content = (tmp_path / "file").read_bytes()
        assert len(content) == 1 << 16 and len(set(content)) == 1

    assert at_once(write) == [WRITTEN] * WRITERS
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
