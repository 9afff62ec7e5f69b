"""A folder of pictures and clips under a limit, in which nothing is half-written."""

from __future__ import annotations

import os
import shutil
from collections import deque
from contextlib import ExitStack, suppress
from pathlib import Path

from edge.files import NotWritten, claimed

DRAFTS = ".part"
"""Subfolder of what is being written; what a killed process left there is removed."""


class Store:
    """Files of one folder, for one thread; the oldest are deleted above the limit.

    Args:
        folder: of this store alone; made where it is missing.
        limit: bytes of all files together.

    Attributes:
        bytes: of all files.

    Raises:
        NotWritten: the folder cannot be written.
        EdgeError: another process uses it.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit
        self._numbers = 0
        with ExitStack() as stack:
            busy = f"the recordings {folder} are in use by another process, expected a folder each"
            stack.enter_context(claimed(folder, busy))
            try:
                shutil.rmtree(folder / DRAFTS, ignore_errors=True)
                (folder / DRAFTS).mkdir()
                self._files = deque(_files(folder))
            except OSError as error:
                raise NotWritten(f"cannot write {folder}: {error.strerror}") from None
            self.bytes = sum(size for _, size in self._files)
            self._make_room()
            self._release = stack.pop_all()

    def draft(self, suffix: str) -> Path:
        """A path for a file that `publish` gives its name; it is gone after a crash."""
        self._numbers += 1
        return self.folder / DRAFTS / f"{self._numbers}{suffix}"

    def publish(self, draft: Path, name: str) -> None:
        """Give a draft its name; after a loss of power it is there whole or not at all.

        Raises:
            OSError: it cannot be written; the draft is gone.
        """
        path = self.folder / name
        try:
            with draft.open("rb") as stream:
                os.fsync(stream.fileno())
                size = os.fstat(stream.fileno()).st_size
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(draft, path)
        except OSError:
            self.drop(draft)
            raise
        self._files.append((path, size))
        self.bytes += size
        self._make_room()

    def drop(self, draft: Path) -> None:
        """Remove a draft."""
        with suppress(OSError):
            draft.unlink()

    def close(self) -> None:
        """Release the folder; a second call does nothing."""
        self._release.close()

    def _make_room(self) -> None:
        while self.bytes > self.limit and self._files:
            path, size = self._files.popleft()
            self.bytes -= size
            with suppress(OSError):  # somebody deleted it
                path.unlink()
            for folder in path.parents:
                if folder == self.folder:
                    break
                with suppress(OSError):  # it holds more
                    folder.rmdir()


def _files(folder: Path) -> list[tuple[Path, int]]:
    """Every file with its size, the oldest first; files whose name begins with a dot are ours."""
    found = []
    for path in folder.rglob("*"):
        if path.is_symlink() or any(p.startswith(".") for p in path.relative_to(folder).parts):
            continue
        with suppress(OSError):
            status = path.stat()
            if path.is_file():
                found.append((status.st_mtime, path, status.st_size))
    return [(path, size) for _, path, size in sorted(found)]
