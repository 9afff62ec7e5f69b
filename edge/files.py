"""Files and folders that are there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.errors import EdgeError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A draft to write that becomes `path` when all went well.

    A kill or a full disk leaves the old file or the new one, never half of one.
    """
    draft = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        os.replace(draft, path)
    except OSError as error:
        raise EdgeError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """An empty folder to write into that takes the place of `path` when all went well."""
    draft, old = (path.with_name(f".{path.name}.{end}") for end in ("part", "old"))
    shutil.rmtree(draft, ignore_errors=True)  # of a run that was killed
    try:
        draft.mkdir(parents=True)
        yield draft
        shutil.rmtree(old, ignore_errors=True)
        if path.exists():
            os.replace(path, old)
        os.replace(draft, path)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        reason = error.strerror or error
        raise EdgeError(f"cannot write {path}: {reason}; nothing was left behind") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
