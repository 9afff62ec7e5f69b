"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edge.errors import EdgeError
from edge.files import (
    NotWritten,
    SideFiles,
    append,
    atomic_folder,
    atomic_write,
    claimed,
    locked,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def failing(which: int, code: int = errno.EACCES) -> Callable[..., None]:
    """os.replace whose `which`-th call fails, counted from 1."""
    calls = 0
    replace = os.replace

    def call(source: object, target: object) -> None:
        nonlocal calls
        calls += 1
        if calls == which:
            raise OSError(code, os.strerror(code), str(source))
        replace(source, target)  # type: ignore[arg-type]

    return call


@pytest.fixture
def old(tmp_path: Path) -> Path:
    place = tmp_path / "build"
    place.mkdir()
    (place / "a").write_text("old")
    return place


@pytest.mark.parametrize("which", [1, 2])
def test_a_rename_that_fails_leaves_the_former_folder(
    which: int, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", failing(which))
    with pytest.raises(EdgeError, match=r"cannot write .*build: Permission denied"):  # noqa: SIM117
        with atomic_folder(old) as draft:
            (draft / "a").write_text("new")
    assert (old / "a").read_text() == "old"
    assert names(old.parent) == ["build"]


def test_a_folder_that_cannot_be_put_back_is_named_and_survives(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, calls = os.replace, []

    def second_and_third_fail(source: object, target: object) -> None:
        calls.append(source)
        if len(calls) in (2, 3):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(source))
        replace(source, target)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "replace", second_and_third_fail)
    with pytest.raises(EdgeError, match=r"the former folder is .*build\.rescued-"):  # noqa: SIM117
        with atomic_folder(old) as draft:
            (draft / "a").write_text("new")
    monkeypatch.undo()
    with atomic_folder(old) as draft:
        (draft / "a").write_text("newer")
    assert (old / "a").read_text() == "newer"
    rescued = next(path for path in old.parent.iterdir() if "rescued" in path.name)
    assert (rescued / "a").read_text() == "old"


def test_a_kill_between_the_two_renames_loses_nothing(old: Path) -> None:
    with subprocess.Popen(["true"]) as gone:
        pass
    os.replace(old, old.with_name(f".build.{gone.pid}.old"))
    with pytest.raises(RuntimeError), atomic_folder(old):
        raise RuntimeError
    assert (old / "a").read_text() == "old"


def test_errors_about_other_files_pass_through(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="elsewhere"), atomic_write(tmp_path / "a"):
        (tmp_path / "elsewhere").read_text()
    with pytest.raises(EdgeError, match=f"cannot write {tmp_path / 'a'}: No space left"):  # noqa: SIM117
        with atomic_write(tmp_path / "a"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgeError, match="cannot write"), atomic_write(tmp_path / "file" / "a"):
        pass


def test_a_result_is_printed_though_a_file_beside_it_cannot_be_written(tmp_path: Path) -> None:
    """A file where a folder is expected: as a read-only disk, but for root too."""
    (tmp_path / "file").touch()
    files = SideFiles()
    for name in ("a", "b"):
        with files.attempt(), atomic_write(tmp_path / "file" / name) as draft:
            draft.write_text("never")
    with files.attempt():
        append(tmp_path / "file" / "c", "never")
    assert not files.written
    with pytest.raises(NotWritten, match=r"cannot write .*/file/a: ") as caught:
        files.check()
    assert caught.value.exit_code == 1
    assert ".part" not in str(caught.value)


def test_other_errors_are_not_swallowed(tmp_path: Path) -> None:
    files = SideFiles()
    with pytest.raises(EdgeError, match="of another kind"), files.attempt():
        raise EdgeError("of another kind")
    with files.attempt():
        append(tmp_path / "log", "a\n")
        append(tmp_path / "log", "b\n")
    files.check()
    assert files.written
    assert (tmp_path / "log").read_text() == "a\nb\n"


@pytest.mark.parametrize("lock", [locked, lambda folder: claimed(folder, "busy")])
def test_a_lock_in_a_folder_that_cannot_be_written(
    lock: Callable[[Path], AbstractContextManager[None]], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(NotWritten, match=r"cannot write into .*/file/runs: "),
        lock(tmp_path / "file" / "runs"),
    ):
        pass


@pytest.mark.parametrize("atomic", [atomic_folder, atomic_write])
def test_an_error_about_the_draft_names_the_users_file(
    atomic: Callable[[Path], AbstractContextManager[Path]], tmp_path: Path
) -> None:
    with pytest.raises(EdgeError) as caught, atomic(tmp_path / "build") as draft:
        raise EdgeError(f"{draft}/frame.onnx cannot be compiled", f"look into {draft}")
    assert str(caught.value) == (
        f"{tmp_path}/build/frame.onnx cannot be compiled; look into {tmp_path}/build"
    )


def test_a_link_stays_one_and_what_it_names_is_written(tmp_path: Path) -> None:
    for name in ("real", "absent"):
        (tmp_path / f"to-{name}").symlink_to(tmp_path / name)
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "old").touch()
    for name in ("real", "absent"):
        for content in ("one", "two"):
            with atomic_folder(tmp_path / f"to-{name}") as draft:
                (draft / "new").write_text(content)
        assert (tmp_path / f"to-{name}").is_symlink()
        assert [path.name for path in (tmp_path / name).iterdir()] == ["new"]
        assert (tmp_path / name / "new").read_text() == "two"
    (tmp_path / "file").write_text("old")
    (tmp_path / "to-file").symlink_to("file")
    with atomic_write(tmp_path / "to-file") as draft:
        draft.write_text("new")
    assert (tmp_path / "to-file").is_symlink()
    assert (tmp_path / "file").read_text() == "new"


def test_a_leftover_that_is_a_link_is_removed_and_what_it_names_stays(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "data").touch()
    (tmp_path / ".out.999999999.old").symlink_to(precious)
    (tmp_path / "out").mkdir()
    with atomic_folder(tmp_path / "out") as draft:
        (draft / "new").touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "precious"]
    assert (precious / "data").is_file()
