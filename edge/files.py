"""Files and folders that are there whole or not at all."""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.errors import EdgeError


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A draft to write that becomes `path` when all went well.

    A kill or a full disk leaves the old file or the new one, never half of one.
    """
    path = Path(os.path.abspath(path))  # `.` has no name
    draft = _beside(path, "part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        os.replace(draft, path)
    except OSError as error:
        raise EdgeError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """An empty folder to write into that takes the place of `path` when all went well."""
    path = Path(os.path.abspath(path))
    draft, old = _beside(path, "part"), _beside(path, "old")
    try:
        draft.mkdir(parents=True)
        yield draft
        if path.exists():
            os.replace(path, old)
        os.replace(draft, path)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        reason = error.strerror or error
        raise EdgeError(f"cannot write {path}: {reason}; nothing was left behind") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other process is inside, too: two that find nothing do not both make it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def claimed(folder: Path, busy: str) -> Iterator[None]:
    """Be the only process inside, or EdgeError of the sentence `busy` where another one is.

    A POSIX lock, which children do not inherit: those that outlive a killed process hold nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EdgeError(busy) from error
        yield


def _beside(path: Path, end: str) -> Path:
    """A name beside `path` that only this process uses; what killed ones left there is removed."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.{end}"):
        if not _runs(left.name.split(".")[-2]):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    return path.with_name(f".{path.name}.{os.getpid()}.{end}")


def _runs(number: str) -> bool:
    """Whether a process of that number is alive, as far as can be known."""
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OSError):
        return True
    return True
