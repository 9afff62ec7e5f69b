"""Which machine a figure belongs to."""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path

from edge.benchmarks.reporting.report import Machine
from edge.runtime.cores import usable_cores

LIBRARIES = (
    "numpy",
    "opencv-python-headless",
    "onnx",
    "onnxruntime",
    "openvino",
    "tensorrt",
    "tensorrt-rtx-cu13",
)


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


def machine(threads: int | None = None) -> Machine:
    """Describe this machine. threads: of the runtime; None is all usable cores."""
    cores = usable_cores()
    return Machine(
        processor=_processor(),
        cores=cores,
        threads=threads or cores,
        system=platform.platform(),
        python=platform.python_version(),
        libraries={name: version for name in LIBRARIES if (version := _version(name))},
    )
