"""The CUDA that this machine's NVIDIA driver speaks, and the extra whose bindings go with it.

A driver runs programs of its own CUDA and of older ones: bindings of CUDA 13 need a driver of CUDA
13 (580 or later), those of CUDA 12 run on both. Only the standard library is used, because
`make run` asks before anything is installed.
"""

from __future__ import annotations

import ctypes
import importlib.metadata

BINDINGS = "cuda-bindings"


def driver_cuda() -> tuple[int, int] | None:
    """The newest CUDA of the driver, as (12, 6); None where there is no driver."""
    try:
        library = ctypes.CDLL("libcuda.so.1")
        number = ctypes.c_int(0)
        failed = library.cuDriverGetVersion(ctypes.byref(number))
    except (OSError, AttributeError):
        return None
    return None if failed or not number.value else (number.value // 1000, number.value % 1000 // 10)


def extra() -> str:
    """The extra of this package with bindings for the driver; the newest where there is none."""
    cuda = driver_cuda()
    return "cuda12" if cuda is not None and cuda[0] < 13 else "cuda13"


def too_new(package: str, major: int) -> str:
    """Why a package for CUDA `major` cannot work with the driver; empty where it can."""
    cuda = driver_cuda()
    if cuda is None or major <= cuda[0]:
        return ""
    return (
        f"{package} needs a driver of CUDA {major}, this machine's speaks CUDA {cuda[0]}.{cuda[1]}"
    )


def bindings_version() -> str:
    """Version of the installed cuda-bindings, or an empty text."""
    try:
        return importlib.metadata.version(BINDINGS)
    except importlib.metadata.PackageNotFoundError:
        return ""


def bindings_too_new() -> str:
    """Why the installed cuda-bindings cannot work with the driver; empty where they can."""
    version = bindings_version()
    major = version.partition(".")[0]
    return too_new(f"{BINDINGS} {version}", int(major)) if major else ""


if __name__ == "__main__":  # for the Makefile: the extra, where there is a driver
    print(f",{extra()}" if driver_cuda() else "")
