"""A format: what a server of networks reads, written from a finished build."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.errors import UsageError
from edge.files import atomic_folder
from edge.manifest import Manifest
from edge.progress import note
from edge.targets import AUTO, running
from edge.targets import get as get_target

MARK = "# Written by edge build"
"""First line of a file in every folder that a format writes, with the sha256 of all that is in it:
as long as that holds, nothing of somebody else is lost when the folder is replaced."""


@dataclass(frozen=True)
class Format:
    """One format; a file of edge/builder/formats registers an instance.

    Attributes:
        name: As in `--format`.
        targets: Targets whose builds it takes; `auto` is the first of them that runs here, or else
            the last.
        write: (build folder, its manifest, folder to write into) -> lines that say how it is run.
            EdgeError where the build cannot be written so.
        check: UsageError where a folder holds something else than what this format writes.
    """

    name: str
    targets: tuple[str, ...]
    write: Callable[[Path, Manifest, Path], list[str]]
    check: Callable[[Path], None]

    def target_of(self, name: str) -> str:
        """The target for a `--target`; UsageError where this format does not take its builds."""
        if name == AUTO:
            here = [target.name for target in running() if target.name in self.targets]
            name = here[0] if here else self.targets[-1]
            note(f"target {name}, for --format {self.name}")
        get_target(name)
        if name not in self.targets:
            takes = " and ".join(self.targets)
            raise UsageError(
                f"--format {self.name} takes builds for {takes}, not for {name}",
                f"give --target {self.targets[-1]}",
            )
        return name


_formats: dict[str, Format] = {}


def register(format: Format) -> Format:
    """Add a format; a later one of the same name takes its place."""
    _formats[format.name] = format
    return format


def formats() -> dict[str, Format]:
    """All formats by name."""
    return dict(_formats)


def get(name: str) -> Format:
    """The format of a name; UsageError with the known ones where there is none."""
    if name not in _formats:
        raise UsageError(f"unknown format {name!r}; known: {', '.join(sorted(_formats))}")
    return _formats[name]


def check_folder(folder: Path, marked: str) -> None:
    """UsageError where a folder is there that no format has written, or that was changed since."""
    if not folder.exists():
        return
    mark, hint = folder / marked, "move it away, or give another --out"
    if not (mark.is_file() and mark.read_bytes().startswith(MARK.encode())):
        raise UsageError(f"{folder} was not written by --format and would be removed", hint)
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if not path.is_dir()
    }
    if files[marked] != _marked(files, marked):
        raise UsageError(f"{folder} was changed after --format wrote it; that would be lost", hint)


def _marked(files: dict[str, bytes], marked: str) -> bytes:
    """The marked file with the sha256 of all files in its first line."""
    _, _, body = files[marked].partition(b"\n")
    digest = hashlib.sha256()
    for name, content in sorted({**files, marked: body}.items()):
        digest.update(b"%s\0%d\0%s" % (name.encode(), len(content), content))
    return f"{MARK}, sha256 {digest.hexdigest()}\n".encode() + body


def write_folder(folder: Path, marked: str, files: dict[str, bytes]) -> None:
    """Write a folder whole or not at all; an older one of ours is replaced.

    Args:
        folder: Where.
        marked: The file of `files` that starts with MARK.
        files: Contents by path within the folder.

    Raises:
        UsageError: As of check_folder.
        NotWritten: It cannot be written.
    """
    assert files[marked].startswith(MARK.encode())
    check_folder(folder, marked)
    files = {**files, marked: _marked(files, marked)}
    with atomic_folder(folder) as draft:
        for name, data in files.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            (draft / name).write_bytes(data)
