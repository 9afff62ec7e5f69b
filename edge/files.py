"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge.errors import EdgeError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a draft that becomes `path` when the block ends without an exception.

    A kill or a full disk leaves the old file or the new one, never half of one.

    Raises:
        EdgeError: `path` cannot be written. Other errors of the block pass through unchanged.
    """
    path = Path(os.path.abspath(path))  # `.` has no name
    draft = _beside(path, "part")
    try:
        with _writing(path, draft):
            path.parent.mkdir(parents=True, exist_ok=True)
        with _writing(path, draft, inside=True):
            yield draft
        with _writing(path, draft):
            os.replace(draft, path)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder that replaces `path` when the block ends without an exception.

    Raises:
        EdgeError: `path` cannot be written; what was there before is there again, and the message
            says where it is if even that fails.
    """
    path = Path(os.path.abspath(path))
    draft, old = _beside(path, "part"), _beside(path, "old")
    try:
        with _writing(path, draft, rest="; nothing was left behind"):
            draft.mkdir(parents=True)
        with _writing(path, draft, rest="; nothing was left behind", inside=True):
            yield draft
        with _writing(path, draft, rest="; nothing was left behind"):
            if path.exists():
                os.replace(path, old)
        try:
            os.replace(draft, path)
        except OSError as error:
            kept = _restored(old, path)
            raise EdgeError(f"cannot write {path}: {error.strerror or error}; {kept}") from error
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _restored(old: Path, path: Path) -> str:
    """Put the former folder back; say where it is."""
    if not old.exists():
        return "nothing was left behind"
    try:
        os.replace(old, path)
    except OSError:
        # A name that no later write takes for a leftover and removes.
        rescue = path.with_name(f"{path.name}.rescued-{os.getpid()}")
        try:
            os.replace(old, rescue)
        except OSError:
            rescue = old
        return f"the former folder is {rescue}"
    return "the former folder is in its place"


@contextmanager
def _writing(path: Path, draft: Path, *, rest: str = "", inside: bool = False) -> Iterator[None]:
    """Turn an OSError about the draft into one sentence about `path`.

    inside: the error may also be about other files, which the block reads; those pass through.
    """
    try:
        yield
    except OSError as error:
        names = [str(name) for name in (error.filename, error.filename2) if name is not None]
        ours = any(name.startswith(str(draft)) for name in names) or error.errno in FULL
        if inside and not ours:
            raise
        raise EdgeError(f"cannot write {path}: {error.strerror or error}{rest}") from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other process holds the folder's lock, and hold it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def claimed(folder: Path, busy: str) -> Iterator[None]:
    """Hold the folder's lock, or raise EdgeError(busy) where another process does.

    A POSIX lock, which children do not inherit: those that outlive a killed process hold nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EdgeError(busy) from error
        yield


def _beside(path: Path, suffix: str) -> Path:
    """A name beside `path` for this process alone; leftovers of killed processes are removed."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.{suffix}"):
        if _runs(leftover.name.split(".")[-2]):
            continue
        if suffix == "old" and not path.exists():
            os.replace(leftover, path)  # killed between its two renames
        else:
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink(missing_ok=True)
    return path.with_name(f".{path.name}.{os.getpid()}.{suffix}")


def _runs(number: str) -> bool:
    """Whether a process of that number is alive, as far as this process can know."""
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OSError):
        return True
    return True
