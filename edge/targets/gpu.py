"""The GPU of this machine, if a target can use it."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable

from edge.errors import EdgeError


def why_not_on_gpu(packages: Iterable[str]) -> str:
    """Why builds of the runtime that `packages` bring cannot run here; empty where they can."""
    return why_no_gpu() or wrong_cuda(packages)


def wrong_cuda(packages: Iterable[str]) -> str:
    """Which installed package, as tensorrt-cu13, is for a newer CUDA than the driver's, and what to
    install instead; empty where all fit."""
    from edge.runtime.nvidia import too_new

    for package in packages:
        match = re.search(r"-cu(\d+)$", package)
        if match and _installed(package) and (why := too_new(package, int(match[1]))):
            parts = " ".join([package, f"{package}-bindings", f"{package}-libs"])
            return f"{why}: pip uninstall {parts}; pip install {package.replace(match[0], '-cu12')}"
    return ""


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def why_no_gpu() -> str:
    """Why no GPU can be used; empty where one can."""
    from edge.runtime import cuda

    try:
        cuda.driver()
    except EdgeError as error:
        return error.message
    return ""


def capability() -> tuple[int, ...]:
    """The GPU's generation, as (86,) for compute capability 8.6; empty where nobody can ask it."""
    from edge.runtime import cuda

    try:
        return (cuda.driver().capability,)
    except EdgeError:
        return ()
