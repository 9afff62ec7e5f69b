"""The calls of cuda.bindings.runtime that the driver layer makes, on memory of the host.

Work on a stream is done at once, or recorded while the stream is captured. STAND_IN_GPU is the
compute capability, as 87, with `,integrated` where the GPU shares the host's memory.
"""

from __future__ import annotations

import ctypes
import enum
import importlib.metadata
import os
import time
from collections.abc import Callable
from typing import Any

cudaHostAllocMapped = 2
cudaStreamNonBlocking = 1
cudaEventDefault, cudaEventBlockingSync, cudaEventDisableTiming = 0, 1, 2


class cudaError_t(enum.IntEnum):
    cudaSuccess = 0
    cudaErrorInsufficientDriver = 35


class cudaDeviceAttr(enum.IntEnum):
    cudaDevAttrIntegrated = 18
    cudaDevAttrComputeCapabilityMajor = 75
    cudaDevAttrComputeCapabilityMinor = 76


class cudaMemcpyKind(enum.IntEnum):
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2


class cudaStreamCaptureMode(enum.IntEnum):
    cudaStreamCaptureModeThreadLocal = 1


_gpu, _, _kind = os.environ.get("STAND_IN_GPU", "87").partition(",")
DEVICE = {18: int(_kind == "integrated"), 75: int(_gpu) // 10, 76: int(_gpu) % 10}
OK = cudaError_t.cudaSuccess
_memory: dict[int, Any] = {}
_streams: dict[int, list[Callable[[], None]] | None] = {}
"""Stream to the work that is captured, None outside a capture."""


def _do(stream: int, work: Callable[[], None]) -> None:
    captured = _streams[int(stream)]
    if captured is None:
        work()
    else:
        captured.append(work)


def _allocate(size: int) -> int:
    block = (ctypes.c_uint8 * size)()
    _memory[ctypes.addressof(block)] = block
    return ctypes.addressof(block)


def cudaGetErrorString(error: cudaError_t) -> tuple[cudaError_t, bytes]:
    return OK, error.name.encode()


def cudaGetDevice() -> tuple[cudaError_t, int]:
    """Bindings that are newer than the driver (libcuda, where one is) find no device."""
    try:
        speaks = ctypes.c_int(0)
        ctypes.CDLL("libcuda.so.1").cuDriverGetVersion(ctypes.byref(speaks))
        major = int(importlib.metadata.version("cuda-bindings").partition(".")[0])
    except (OSError, importlib.metadata.PackageNotFoundError):
        return OK, 0
    return (OK if major <= speaks.value // 1000 else cudaError_t.cudaErrorInsufficientDriver), 0


def cudaSetDevice(device: int) -> tuple[cudaError_t]:
    return (OK,)


def cudaDeviceGetAttribute(attribute: int, device: int) -> tuple[cudaError_t, int]:
    return OK, DEVICE[int(attribute)]


def cudaHostAlloc(size: int, flags: int) -> tuple[cudaError_t, int]:
    return OK, _allocate(size)


def cudaFreeHost(address: int) -> tuple[cudaError_t]:
    return cudaFree(address)


def cudaHostGetDevicePointer(address: int, flags: int) -> tuple[cudaError_t, int]:
    return OK, address


def cudaMalloc(size: int) -> tuple[cudaError_t, int]:
    return OK, _allocate(size)


def cudaFree(address: int) -> tuple[cudaError_t]:
    del _memory[int(address)]
    return (OK,)


def cudaStreamCreateWithFlags(flags: int) -> tuple[cudaError_t, int]:
    number = len(_streams) + 1
    _streams[number] = None
    return OK, number


def cudaStreamSynchronize(stream: int) -> tuple[cudaError_t]:
    return (OK,)


def cudaStreamDestroy(stream: int) -> tuple[cudaError_t]:
    return (OK,)


class _Event:
    at = 0.0


def cudaEventCreateWithFlags(flags: int) -> tuple[cudaError_t, _Event]:
    return OK, _Event()


def cudaEventRecord(event: _Event, stream: int) -> tuple[cudaError_t]:
    event.at = time.perf_counter()
    return (OK,)


def cudaEventSynchronize(event: _Event) -> tuple[cudaError_t]:
    return (OK,)


def cudaEventElapsedTime(first: _Event, second: _Event) -> tuple[cudaError_t, float]:
    return OK, 1e3 * (second.at - first.at)


def cudaEventDestroy(event: _Event) -> tuple[cudaError_t]:
    return (OK,)


def cudaMemcpyAsync(to: int, source: int, size: int, kind: int, stream: int) -> tuple[cudaError_t]:
    _do(stream, lambda: ctypes.memmove(int(to), int(source), size) and None)
    return (OK,)


def cudaStreamBeginCapture(stream: int, mode: int) -> tuple[cudaError_t]:
    _streams[int(stream)] = []
    return (OK,)


def cudaStreamEndCapture(stream: int) -> tuple[cudaError_t, Any]:
    work, _streams[int(stream)] = _streams[int(stream)], None
    return OK, work


def cudaGraphInstantiate(graph: Any, flags: int) -> tuple[cudaError_t, Any]:
    return OK, graph


def cudaGraphDestroy(graph: Any) -> tuple[cudaError_t]:
    return (OK,)


def cudaGraphExecDestroy(graph: Any) -> tuple[cudaError_t]:
    return (OK,)


def cudaGraphLaunch(graph: Any, stream: int) -> tuple[cudaError_t]:
    for work in graph:
        work()
    return (OK,)
