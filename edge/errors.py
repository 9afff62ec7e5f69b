"""Errors for the user: one clear sentence, a hint that mends it, and the exit code of its kind."""

from __future__ import annotations

EXTRAS = {
    "torch": "train",
    "torch_pruning": "train",
    "lightning_fabric": "train",
    "pytorch_msssim": "train",
    "tensorboard": "train",
    "onnxsim": "train",
    "onnxscript": "train",
    "cv2": "opencv",
    "openvino": "openvino",
    "tensorrt_rtx": "tensorrt-rtx",
    "pycuda": "pycuda",
    "cryptography": "sign",
    "paho": "mqtt",
    "starlette": "view",
    "uvicorn": "view",
    "websockets": "view",
}
"""The extra of this package that installs an optional module."""


class EdgeError(Exception):
    """An error that a user can cause and mend.

    Args:
        message: The finding and the expectation, one sentence without a full stop.
        hint: The command or step that mends it; empty where there is none.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message, self.hint = message, hint

    def __str__(self) -> str:
        return printable(f"{self.message}; {self.hint}" if self.hint else self.message)


class UsageError(EdgeError):
    """An argument that cannot be right."""

    exit_code = 2


class AccuracyGateMissed(EdgeError):
    """A build loses more accuracy than the gate allows, or has no int8 where it was asked for."""

    exit_code = 3


class SpeedGateMissed(EdgeError):
    """A build is slower than the gate allows."""

    exit_code = 4


class BuildMismatch(EdgeError):
    """A build does not fit: damaged, incomplete, for another runtime version or another GPU."""

    exit_code = 5


class Untrustworthy(EdgeError):
    """A result not to be trusted: a disturbed measurement, or a background that did not fit."""

    exit_code = 6


def printable(text: str) -> str:
    """One line for any terminal: what a file may hold beside letters is written as its escape."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def install_command(extra: str) -> str:
    """The command that installs an extra of this package."""
    return f"in the project's folder: pip install -c constraints.txt '.[{extra}]'"


def missing(module: str) -> EdgeError:
    """The error for a module that is not installed."""
    extra = EXTRAS.get(module)
    if extra is None:
        return EdgeError(f"the Python module `{module}` is not installed")
    return EdgeError(f"this needs `{module}`, which is not installed", install_command(extra))
