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
from typing import IO

from edge.errors import EdgeError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class NotWritten(EdgeError):
    """A file or folder that cannot be written."""


class SideFiles:
    """Files beside a result: where one cannot be written, the result is printed all the same.

    Example:
        >>> files = SideFiles()
        >>> with files.attempt(), atomic_write(path) as draft:
        ...     draft.write_text(page)
        >>> print(result)
        >>> files.check()
    """

    def __init__(self) -> None:
        self._error: NotWritten | None = None

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Keep an error of writing for `check` and go on."""
        try:
            yield
        except NotWritten as error:
            if self._error is None:
                self._error = error

    @property
    def written(self) -> bool:
        """Whether every attempt succeeded."""
        return self._error is None

    def check(self) -> None:
        """Raise the first error of writing, after the result is printed."""
        if self._error is not None:
            raise self._error


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a draft that becomes `path` when the block ends without an exception.

    A kill or a full disk leaves the old file or the new one, never half of one.

    Raises:
        NotWritten: `path` cannot be written. Other errors of the block pass through unchanged.
    """
    path = Path(os.path.realpath(path))  # `.` has no name, and a link stays one
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


def stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file is written: time, inode and size; None where it is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def append(path: Path, text: str) -> None:
    """Append text to a file.

    Raises:
        NotWritten: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as stream:
            stream.write(text)
    except OSError as error:
        place = os.path.abspath(path)
        raise NotWritten(f"cannot write {place}: {error.strerror or error}") from error


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder that replaces `path` when the block ends without an exception.

    Raises:
        NotWritten: `path` cannot be written; what was there before is there again, and the message
            says where it is if even that fails.
    """
    path = Path(os.path.realpath(path))
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
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                shutil.rmtree(old, ignore_errors=True)
                why = "another process wrote it meanwhile, and its folder is kept"
            else:
                why = f"{error.strerror or error}; {_restored(old, path)}"
            raise NotWritten(f"cannot write {path}: {why}") from error
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
    """Turn an error about the draft into one sentence about `path`.

    inside: the error may also be about other files, which the block reads; those pass through.
    """
    try:
        yield
    except EdgeError as error:  # about a file of the draft, whose name the user does not know
        error.message = error.message.replace(str(draft), str(path))
        error.hint = error.hint.replace(str(draft), str(path))
        raise
    except OSError as error:
        names = [str(name) for name in (error.filename, error.filename2) if name is not None]
        ours = any(name.startswith(str(draft)) for name in names) or error.errno in FULL
        if inside and not ours:
            raise
        raise NotWritten(f"cannot write {path}: {error.strerror or error}{rest}") from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other process holds the folder's lock, and hold it.

    Raises:
        NotWritten: The folder cannot be written.
    """
    with _lock_file(folder) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _lock_file(folder: Path) -> IO[str]:
    """Open the folder's lock; the folder is made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / ".lock").open("w")
    except OSError as error:
        path = os.path.abspath(folder)
        raise NotWritten(f"cannot write into {path}: {error.strerror or error}") from error


@contextmanager
def claimed(folder: Path, busy: str, hint: str = "") -> Iterator[None]:
    """Hold the folder's lock, or raise EdgeError(busy, hint) where another process does.

    A POSIX lock, which children do not inherit: those that outlive a killed process hold nothing.
    A folder that cannot be written raises NotWritten.
    """
    with _lock_file(folder) as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EdgeError(busy, hint) from error
        yield


def _beside(path: Path, suffix: str) -> Path:
    """A name beside `path` for this process alone; leftovers of killed processes are removed."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.{suffix}"):
        if _runs(leftover.name.split(".")[-2]):
            continue
        with suppress(OSError):  # another process may do the same at this moment
            if suffix == "old" and not path.exists():
                os.replace(leftover, path)  # killed between its two renames
            else:
                real = leftover.is_dir() and not leftover.is_symlink()
                shutil.rmtree(leftover) if real else leftover.unlink()
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
