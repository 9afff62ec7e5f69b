"""The target that `auto` takes: the fastest one that runs on this machine, a GPU first."""

from __future__ import annotations

from edge.errors import UsageError, install_command
from edge.progress import note
from edge.targets.registry import get, targets
from edge.targets.target import Target

AUTO = "auto"
ORDER = ("tensorrt", "tensorrt-rtx", "openvino", "onnxruntime")
"""Fastest first (docs/build.md); targets that are registered elsewhere come last."""


def running() -> list[Target]:
    """The targets whose builds run on this machine, the fastest first."""
    rank = {name: number for number, name in enumerate(ORDER)}
    ordered = sorted(targets().values(), key=lambda target: rank.get(target.name, len(ORDER)))
    return [target for target in ordered if target.runs_here()]


def choose(name: str) -> Target:
    """The target of a name; for `auto` the first of `running()`, with a note that says why.

    Raises:
        UsageError: The name is unknown, or nothing runs on this machine.
    """
    if name != AUTO:
        return get(name)
    here = running()
    if not here:
        raise UsageError("no runtime is installed", install_command("openvino"))
    target = here[0]
    passed = [f"{t}: {get(t).why_not_here()}" for t in ORDER[: _rank(target)] if t in targets()]
    reason = f" ({'; '.join(passed)})" if passed else ""
    note(f"target {target.name}, the fastest that runs here{reason}")
    return target


def _rank(target: Target) -> int:
    return ORDER.index(target.name) if target.name in ORDER else len(ORDER)
