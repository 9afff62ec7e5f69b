"""Formats: a finished build in the form in which another server of networks takes it.

One file of this folder each, which registers itself.
"""

from __future__ import annotations

import importlib
import pkgutil

from edge.builder.formats.format import Format, formats, get, register

__all__ = ["Format", "formats", "get", "register"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
