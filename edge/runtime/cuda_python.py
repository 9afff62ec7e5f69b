"""CUDA by NVIDIA's own bindings (`cuda-bindings`): the primary context, graphs included."""

from __future__ import annotations

import ctypes
import weakref
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from cuda.bindings import runtime

from edge.errors import EdgeError, install_command
from edge.runtime import nvidia
from edge.runtime.cuda import OutOfMemory, no_gpu


def _done(result: tuple[Any, ...]) -> Any:
    """What a call gave beside its status; EdgeError with CUDA's words where it failed."""
    status, *values = result
    if status != runtime.cudaError_t.cudaSuccess:
        _, words = runtime.cudaGetErrorString(status)
        full = status == runtime.cudaError_t.cudaErrorMemoryAllocation
        raise (OutOfMemory if full else EdgeError)(f"CUDA: {words.decode()} ({status.name})")
    return values[0] if values else None


class _Pinned:
    """Given back with the last view of it: a mask that outlives its build can still be read."""

    def __init__(self, size: int, mapped: bool) -> None:
        self.host = _done(runtime.cudaHostAlloc(size, runtime.cudaHostAllocMapped))
        block = (ctypes.c_uint8 * size).from_address(int(self.host))
        weakref.finalize(block, runtime.cudaFreeHost, self.host).atexit = False
        self.array = np.ctypeslib.as_array(block)
        self.device = int(_done(runtime.cudaHostGetDevicePointer(self.host, 0))) if mapped else 0


class Driver:
    """The current device of this process."""

    graphs = True

    def __init__(self) -> None:
        try:
            number = _done(runtime.cudaGetDevice())
        except (EdgeError, RuntimeError) as error:
            if too_new := nvidia.bindings_too_new():
                raise no_gpu(too_new, install_command(nvidia.extra())) from error
            raise no_gpu(error if nvidia.driver_cuda() else "no NVIDIA driver") from error
        known = runtime.cudaDeviceAttr
        major, minor, integrated = (
            int(_done(runtime.cudaDeviceGetAttribute(attribute, number)))
            for attribute in (
                known.cudaDevAttrComputeCapabilityMajor,
                known.cudaDevAttrComputeCapabilityMinor,
                known.cudaDevAttrIntegrated,
            )
        )
        self.capability, self.integrated = 10 * major + minor, bool(integrated)
        self._number = number
        self._nothing = nullcontext()

    def active(self) -> AbstractContextManager[None]:
        _done(runtime.cudaSetDevice(self._number))
        return self._nothing

    def pinned(self, size: int) -> _Pinned:
        return _Pinned(size, self.integrated)

    def device(self, size: int) -> int:
        return int(_done(runtime.cudaMalloc(size)))

    def free_device(self, address: int) -> None:
        _done(runtime.cudaFree(address))

    def name(self) -> str:
        words = _done(runtime.cudaGetDeviceProperties(self._number)).name
        return str(words.decode().rstrip("\0"))

    def memory(self) -> tuple[int, int]:
        status, free, total = runtime.cudaMemGetInfo()
        _done((status,))
        return int(free), int(total)

    def stream(self) -> Any:
        return _done(runtime.cudaStreamCreateWithFlags(runtime.cudaStreamNonBlocking))

    def handle(self, stream: Any) -> int:
        return int(stream)

    def synchronize(self, stream: Any) -> None:
        _done(runtime.cudaStreamSynchronize(stream))

    def free_stream(self, stream: Any) -> None:
        _done(runtime.cudaStreamDestroy(stream))

    def event(self) -> Any:
        flags = runtime.cudaEventBlockingSync | runtime.cudaEventDisableTiming
        return _done(runtime.cudaEventCreateWithFlags(flags))

    def record(self, event: Any, stream: Any) -> None:
        _done(runtime.cudaEventRecord(event, stream))

    def wait(self, event: Any) -> None:
        _done(runtime.cudaEventSynchronize(event))

    def free_event(self, event: Any) -> None:
        _done(runtime.cudaEventDestroy(event))

    def mark(self) -> Any:
        return _done(runtime.cudaEventCreateWithFlags(runtime.cudaEventDefault))

    def elapsed(self, first: Any, second: Any) -> float:
        return float(_done(runtime.cudaEventElapsedTime(first, second)))

    def copy_in(self, address: int, memory: _Pinned, stream: Any) -> None:
        kind = runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        _done(runtime.cudaMemcpyAsync(address, memory.host, memory.array.nbytes, kind, stream))

    def copy_out(self, memory: _Pinned, address: int, stream: Any) -> None:
        kind = runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        _done(runtime.cudaMemcpyAsync(memory.host, address, memory.array.nbytes, kind, stream))

    def begin(self, stream: Any) -> None:
        mode = runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        _done(runtime.cudaStreamBeginCapture(stream, mode))

    def end(self, stream: Any) -> Any:
        graph = _done(runtime.cudaStreamEndCapture(stream))
        ready = _done(runtime.cudaGraphInstantiate(graph, 0))
        _done(runtime.cudaGraphDestroy(graph))
        return ready

    def launch(self, graph: Any, stream: Any) -> None:
        _done(runtime.cudaGraphLaunch(graph, stream))

    def free_graph(self, graph: Any) -> None:
        _done(runtime.cudaGraphExecDestroy(graph))
