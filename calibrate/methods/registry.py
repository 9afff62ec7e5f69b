"""The calibration methods by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge.calibrate.methods.histogram import Histogram, Range
from edge.errors import UsageError

Choose = Callable[[Histogram], Range]


@dataclass(frozen=True)
class Method:
    """name: as in `--calib-method`; choose: from a histogram to a range.

    needs_bins: the method reads the distribution, so histograms are recorded in a second pass;
    False where the extremes are enough.
    """

    name: str
    choose: Choose
    needs_bins: bool = True


_methods: dict[str, Method] = {}


def register(method: Method) -> Method:
    """Add a method; a later one of the same name takes its place."""
    _methods[method.name] = method
    return method


def methods() -> list[str]:
    """The names of all methods."""
    return sorted(_methods)


def get(name: str) -> Method:
    """The method of a name; UsageError lists the known ones."""
    if name not in _methods:
        raise UsageError(f"unknown --calib-method {name!r}; known: {', '.join(methods())}")
    return _methods[name]
