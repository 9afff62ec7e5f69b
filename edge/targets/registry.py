"""The targets by name."""

from __future__ import annotations

from edge.errors import UsageError
from edge.targets.target import Target

_targets: dict[str, Target] = {}


def register(target: Target) -> Target:
    """Add a target; a later one of the same name takes its place."""
    _targets[target.name] = target
    return target


def targets() -> dict[str, Target]:
    """All targets by name."""
    return dict(_targets)


def get(name: str) -> Target:
    """The target of a name.

    Raises:
        UsageError: The message lists the known names.
    """
    if name not in _targets:
        raise UsageError(f"unknown target {name!r}; known: auto, {', '.join(_targets)}")
    return _targets[name]
