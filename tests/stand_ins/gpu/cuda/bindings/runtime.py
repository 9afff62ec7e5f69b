"""The calls of cuda.bindings.runtime that the driver layer makes, on memory of the host.

Work on a stream is done late: when somebody waits for it, or recorded while the stream is captured.
An address that was not given out, or too small for what is copied, is refused.
STAND_IN_GPU is the compute capability, as 87, with `,integrated` where the GPU shares the host's
memory.
"""

from __future__ import annotations

import ctypes
import enum
import importlib.metadata
import itertools
import os
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

cudaHostAllocMapped = 2
cudaStreamNonBlocking = 1
cudaEventDefault, cudaEventBlockingSync, cudaEventDisableTiming = 0, 1, 2


class cudaError_t(enum.IntEnum):
    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorMemoryAllocation = 2
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


Work = Callable[[], Any]
_gpu, _, _kind = os.environ.get("STAND_IN_GPU", "87").partition(",")
DEVICE = {18: int(_kind == "integrated"), 75: int(_gpu) // 10, 76: int(_gpu) % 10}
TOTAL = 1 << 30
OK = cudaError_t.cudaSuccess
_lock = threading.RLock()
_numbers = itertools.count(1)
_memory: dict[int, Any] = {}
_pinned: set[int] = set()


class _Stream:
    def __init__(self) -> None:
        self.pending: list[Work] = []
        self.done = 0
        self.captured: list[Work] | None = None


_streams: dict[int, _Stream] = {}


def _do(stream: int, work: Work) -> None:
    """Put work on a stream."""
    with _lock:
        used = _streams[int(stream)]
        (used.pending if used.captured is None else used.captured).append(work)


def _run(used: _Stream, until: int | None = None) -> None:
    """Do the work of a stream, in order."""
    with _lock:
        while used.pending and (until is None or used.done < until):
            used.pending.pop(0)()
            used.done += 1


def _allocate(size: int) -> int:
    block = (ctypes.c_uint8 * size)()
    with _lock:
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


def cudaGetDeviceProperties(device: int) -> tuple[cudaError_t, Any]:
    return OK, SimpleNamespace(name=b"simulated GPU")


def cudaMemGetInfo() -> tuple[cudaError_t, int, int]:
    with _lock:
        used = sum(ctypes.sizeof(block) for at, block in _memory.items() if at not in _pinned)
    return OK, TOTAL - used, TOTAL


def cudaHostAlloc(size: int, flags: int) -> tuple[cudaError_t, int]:
    address = _allocate(size)
    _pinned.add(address)
    return OK, address


def cudaFreeHost(address: int) -> tuple[cudaError_t]:
    _pinned.discard(int(address))
    return cudaFree(address)


def cudaHostGetDevicePointer(address: int, flags: int) -> tuple[cudaError_t, int]:
    return OK, address


def cudaMalloc(size: int) -> tuple[cudaError_t, int]:
    if size > cudaMemGetInfo()[1]:
        return cudaError_t.cudaErrorMemoryAllocation, 0
    return OK, _allocate(size)


def cudaFree(address: int) -> tuple[cudaError_t]:
    with _lock:
        for used in _streams.values():  # as CUDA does, before the memory is somebody else's
            _run(used)
        del _memory[int(address)]
    return (OK,)


def cudaStreamCreateWithFlags(flags: int) -> tuple[cudaError_t, int]:
    number = next(_numbers)
    _streams[number] = _Stream()
    return OK, number


def cudaStreamSynchronize(stream: int) -> tuple[cudaError_t]:
    _run(_streams[int(stream)])
    return (OK,)


def cudaStreamDestroy(stream: int) -> tuple[cudaError_t]:
    with _lock:
        _run(_streams.pop(int(stream)))
    return (OK,)


class _Event:
    at = 0.0
    stream: _Stream | None = None
    until = 0

    def reached(self) -> None:
        self.at = time.perf_counter()


def cudaEventCreateWithFlags(flags: int) -> tuple[cudaError_t, _Event]:
    return OK, _Event()


def cudaEventRecord(event: _Event, stream: int) -> tuple[cudaError_t]:
    with _lock:
        used = _streams[int(stream)]
        _do(stream, event.reached)
        event.stream, event.until = used, used.done + len(used.pending)
    return (OK,)


def cudaEventSynchronize(event: _Event) -> tuple[cudaError_t]:
    if event.stream is not None:
        _run(event.stream, event.until)
    return (OK,)


def cudaEventElapsedTime(first: _Event, second: _Event) -> tuple[cudaError_t, float]:
    return OK, 1e3 * (second.at - first.at)


def cudaEventDestroy(event: _Event) -> tuple[cudaError_t]:
    return (OK,)


def cudaMemcpyAsync(to: int, source: int, size: int, kind: int, stream: int) -> tuple[cudaError_t]:
    with _lock:
        blocks = [_memory.get(int(address)) for address in (to, source)]
    if any(block is None or ctypes.sizeof(block) < size for block in blocks):
        return (cudaError_t.cudaErrorInvalidValue,)
    _do(stream, lambda: ctypes.memmove(int(to), int(source), size))
    return (OK,)


def cudaStreamBeginCapture(stream: int, mode: int) -> tuple[cudaError_t]:
    _streams[int(stream)].captured = []
    return (OK,)


def cudaStreamEndCapture(stream: int) -> tuple[cudaError_t, Any]:
    used = _streams[int(stream)]
    work, used.captured = used.captured, None
    return OK, work


def cudaGraphInstantiate(graph: Any, flags: int) -> tuple[cudaError_t, Any]:
    return OK, list(graph)


def cudaGraphDestroy(graph: Any) -> tuple[cudaError_t]:
    graph.clear()
    return (OK,)


def cudaGraphExecDestroy(graph: Any) -> tuple[cudaError_t]:
    graph.clear()
    return (OK,)


def cudaGraphLaunch(graph: Any, stream: int) -> tuple[cudaError_t]:
    for work in graph:
        _do(stream, work)
    return (OK,)
