"""Whether this machine has a GPU that the runtime can drive."""

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
