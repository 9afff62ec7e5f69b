"""A folder under a limit: the oldest goes first, and nothing in it is half-written."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from edge.errors import EdgeError
from edge.files import NotWritten
from edge.sinks.store import DRAFTS, Store

ROOT = Path(__file__).parents[3]


def put(store: Store, name: str, size: int) -> None:
    draft = store.draft(".jpg")
    draft.write_bytes(b"x" * size)
    store.publish(draft, name)


def names(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    )


def test_the_oldest_are_deleted_above_the_limit_and_empty_folders_with_them(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path, 1000)
    for number in range(5):
        put(store, f"door/day{number}/{number}.jpg", 300)
    assert names(tmp_path) == [f"door/day{n}/{n}.jpg" for n in (2, 3, 4)]
    assert store.bytes == 900
    assert not (tmp_path / "door" / "day1").exists()
    store.close()


def test_a_new_start_knows_what_is_there_in_the_order_of_its_age(tmp_path: Path) -> None:
    store = Store(tmp_path, 1000)
    for name in ("z.jpg", "m.jpg", "a.jpg"):
        put(store, name, 300)
    for age, name in enumerate(("a.jpg", "m.jpg", "z.jpg")):
        os.utime(tmp_path / name, (1000 - age, 1000 - age))  # z is the oldest
    store.close()
    store = Store(tmp_path, 700)
    assert names(tmp_path) == ["a.jpg", "m.jpg"]
    put(store, "n.jpg", 300)
    assert names(tmp_path) == ["a.jpg", "n.jpg"]
    store.close()


def test_a_file_larger_than_the_limit_leaves_nothing_and_no_debt(tmp_path: Path) -> None:
    store = Store(tmp_path, 100)
    put(store, "large.jpg", 500)
    assert names(tmp_path) == []
    assert store.bytes == 0
    put(store, "small.jpg", 50)
    assert names(tmp_path) == ["small.jpg"]
    store.close()


def test_what_others_deleted_is_no_error(tmp_path: Path) -> None:
    store = Store(tmp_path, 500)
    put(store, "a.jpg", 300)
    (tmp_path / "a.jpg").unlink()
    put(store, "b.jpg", 300)
    put(store, "c.jpg", 300)
    assert names(tmp_path) == ["c.jpg"]
    store.close()


def test_links_lead_nowhere(tmp_path: Path) -> None:
    """A link in the folder must not make it delete files of others."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious.jpg").write_bytes(b"x" * 900)
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / "link").symlink_to(other)
    (folder / "file.jpg").symlink_to(other / "precious.jpg")
    Store(folder, 100).close()
    assert (other / "precious.jpg").exists()


def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    code = f"""
        import os, signal
        from pathlib import Path
        from edge.sinks.store import Store
        store = Store(Path({str(tmp_path)!r}), 1000)
        done = store.draft(".jpg"); done.write_bytes(b"whole"); store.publish(done, "whole.jpg")
        store.draft(".webm").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, check=False)
    assert len(names(tmp_path)) == 2
    Store(tmp_path, 1000).close()
    assert names(tmp_path) == ["whole.jpg"]
    assert list((tmp_path / DRAFTS).iterdir()) == []


def test_a_folder_in_use_or_not_writable_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotWritten, match="cannot write"):
        Store(tmp_path / "file" / "x", 1000)
    store = Store(tmp_path / "a", 1000)
    code = f"""
        from pathlib import Path
        from edge.errors import EdgeError
        from edge.sinks.store import Store
        try:
            Store(Path({str(tmp_path / "a")!r}), 1000)
        except EdgeError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True
    )
    assert "in use by another process" in done.stdout
    store.close()


def test_a_name_that_cannot_be_written_leaves_no_draft(tmp_path: Path) -> None:
    store = Store(tmp_path, 1000)
    put(store, "door", 10)  # a file where a folder must be
    with pytest.raises(OSError):
        put(store, "door/a.jpg", 10)
    assert list((tmp_path / DRAFTS).iterdir()) == []
    store.close()
    assert issubclass(NotWritten, EdgeError)
