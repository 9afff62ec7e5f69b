"""Errors that are for the user: one clear sentence, and the exit code that goes with it."""

from __future__ import annotations

FAILED = 1
USAGE = 2
ACCURACY_GATE = 3
SPEED_GATE = 4
MISMATCH = 5
UNTRUSTWORTHY = 6

EXTRAS = {
    "torch": "train",
    "torch_pruning": "train",
    "lightning_fabric": "train",
    "pytorch_msssim": "train",
    "tensorboard": "train",
    "onnxsim": "train",
    "onnxscript": "train",
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "tensorrt_rtx": "tensorrt-rtx",
    "cuda": "cuda",
    "pycuda": "pycuda",
}
"""Which extra of this package brings a module that is not always installed."""


class EdgeError(Exception):
    """Something that a user can cause and mend. The message says what was found, what was
    expected and, where there is one, the command that mends it."""

    exit_code = FAILED


class UsageError(EdgeError):
    """An argument that cannot be right."""

    exit_code = USAGE


def missing(module: str) -> EdgeError:
    """The error for a module that is not installed, with the command that installs it."""
    extra = EXTRAS.get(module)
    if extra is None:
        return EdgeError(f"the Python module `{module}` is not installed")
    return EdgeError(
        f"this needs `{module}`, which is not installed;"
        f" in the project's folder: pip install -c constraints.txt '.[{extra}]'"
    )
