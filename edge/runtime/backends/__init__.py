"""Backends of the runtime: one file each, found by its name.

A backend's file defines

    open_backend(folder, manifest, options) -> Backend

and raises BuildMismatch where the installed runtime or the GPU does not fit the build. A manifest
names its backend; only files of this folder, and backends that a program registers, are opened.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path

from edge.errors import BuildMismatch, missing
from edge.manifest import Manifest
from edge.runtime.backend import Backend, OpenOptions

Opener = Callable[[Path, Manifest, OpenOptions], Backend]
_registered: dict[str, Opener] = {}


def register(name: str, opener: Opener) -> None:
    """Add a backend that lies outside this folder."""
    _registered[name] = opener


def names() -> list[str]:
    """The backends that builds can name."""
    return sorted({*_registered, *(module.name for module in pkgutil.iter_modules(__path__))})


def open_backend(folder: Path, manifest: Manifest, options: OpenOptions) -> Backend:
    """Open the backend that the manifest names.

    Raises:
        BuildMismatch: No such backend, or the build does not fit it.
    """
    name = manifest.backend
    if name not in names():
        raise BuildMismatch(
            f"{folder} needs the backend {name!r}, known are {', '.join(names())}",
            f"make it again: {manifest.command}",
        )
    if name in _registered:
        return _registered[name](folder, manifest, options)
    try:
        opener: Opener = importlib.import_module(f"{__name__}.{name}").open_backend
    except ModuleNotFoundError as error:
        raise missing((error.name or "").partition(".")[0]) from error
    return opener(folder, manifest, options)
