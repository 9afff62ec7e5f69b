"""Calibration methods: from a tensor's histogram to the range that int8 covers.

One file of this folder each, which registers itself; every file is imported here.
"""

from __future__ import annotations

import importlib
import pkgutil

from edge.calibrate.methods.histogram import LEVELS, Histogram, Range
from edge.calibrate.methods.registry import Method, get, methods, register

__all__ = ["LEVELS", "Histogram", "Method", "Range", "get", "methods", "register"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
