"""GPU memory of this process, as NVML counts it."""

from __future__ import annotations

import os
from functools import cache
from typing import Any


@cache
def _nvml() -> Any | None:
    try:
        import pynvml
    except ModuleNotFoundError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def gpu_memory_mb() -> float | None:
    """MiB of all GPUs that this process holds; None without NVML, or where it does not know this
    process, as in a container with process numbers of its own or on a Jetson."""
    nvml = _nvml()
    if nvml is None:
        return None
    used = []
    try:
        for number in range(nvml.nvmlDeviceGetCount()):
            device = nvml.nvmlDeviceGetHandleByIndex(number)
            for running in nvml.nvmlDeviceGetComputeRunningProcesses(device):
                if running.pid == os.getpid() and running.usedGpuMemory is not None:
                    used.append(running.usedGpuMemory)
    except nvml.NVMLError:
        return None
    return round(sum(used) / 2**20, 1) if used else None
