"""The GPU of this machine, if the runtime can drive it."""

from __future__ import annotations

from edge.errors import EdgeError


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
