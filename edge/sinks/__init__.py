"""Sinks: where events go. Each is one file, which registers itself in edge.sinks.sink.SINKS."""

from __future__ import annotations

import importlib
import pkgutil


def load() -> None:
    """Import every module of this folder."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)
