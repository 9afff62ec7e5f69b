"""Targets: one file of this folder each, which registers itself.

Every file is imported here, so a new target is a new file and nothing else. A target's file imports
its runtime only when it builds, so that every target is known everywhere.
"""

from __future__ import annotations

import importlib
import pkgutil

from edge.targets.auto import AUTO, choose, running
from edge.targets.registry import get, register, targets
from edge.targets.target import (
    BACKGROUND,
    FRAME,
    PRECISIONS,
    UPSAMPLE_OPS,
    Engine,
    Run,
    Target,
)

__all__ = [
    "AUTO",
    "BACKGROUND",
    "FRAME",
    "PRECISIONS",
    "UPSAMPLE_OPS",
    "Engine",
    "Run",
    "Target",
    "choose",
    "get",
    "register",
    "running",
    "targets",
]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
