"""Which machine a figure is from."""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path
from typing import Any

from edge.runtime.cores import usable_cores

LIBRARIES = ("numpy", "opencv-python-headless", "onnx", "onnxruntime", "openvino")


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def machine() -> dict[str, Any]:
    """Processor, cores that this process may use, system, and the versions that matter."""
    return {
        "processor": _processor(),
        "cores": usable_cores(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
    }
