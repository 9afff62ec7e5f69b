"""CUDA by pycuda: the primary context (torch's and TensorRT's own), never autoinit, no graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pycuda.driver as cuda

from edge.errors import EdgeError
from edge.runtime.cuda import OutOfMemory, no_gpu


class _Pinned:
    """pycuda gives it back with the last view of it."""

    def __init__(self, size: int, mapped: bool) -> None:
        flags = cuda.host_alloc_flags.DEVICEMAP if mapped else 0
        try:
            self.array = cuda.pagelocked_empty(size, np.uint8, mem_flags=flags)
        except cuda.MemoryError as error:
            raise OutOfMemory(f"CUDA: {error}") from error
        self.device = int(self.array.base.get_device_pointer()) if mapped else 0


class _Active:
    """A context that is a thread's own within it. Left on a thread's stack it would abort the
    program when the thread ends."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def __enter__(self) -> None:
        self._context.push()

    def __exit__(self, *_: object) -> None:
        self._context.pop()


class Driver:
    """Device 0."""

    graphs = False

    def __init__(self) -> None:
        try:
            cuda.init()
            device = cuda.Device(0)
        except cuda.Error as error:
            raise no_gpu(error) from error
        self._device = device
        major, minor = device.compute_capability()
        self.capability = 10 * major + minor
        self.integrated = bool(device.get_attribute(cuda.device_attribute.INTEGRATED))
        self._active = _Active(device.retain_primary_context())
        self._held: dict[int, Any] = {}

    def active(self) -> _Active:
        return self._active

    def pinned(self, size: int) -> _Pinned:
        return _Pinned(size, self.integrated)

    def device(self, size: int) -> int:
        try:
            memory = cuda.mem_alloc(size)
        except cuda.MemoryError as error:
            raise OutOfMemory(f"CUDA: {error}") from error
        self._held[int(memory)] = memory
        return int(memory)

    def free_device(self, address: int) -> None:
        self._held.pop(address).free()

    def name(self) -> str:
        return str(self._device.name())

    def memory(self) -> tuple[int, int]:
        free, total = cuda.mem_get_info()
        return int(free), int(total)

    def stream(self) -> Any:
        return cuda.Stream()

    def handle(self, stream: Any) -> int:
        return int(stream.handle)

    def synchronize(self, stream: Any) -> None:
        stream.synchronize()

    def free_stream(self, stream: Any) -> None:
        """pycuda frees it with its last reference."""

    def event(self) -> Any:
        flags = cuda.event_flags.BLOCKING_SYNC | cuda.event_flags.DISABLE_TIMING
        return cuda.Event(flags)

    def record(self, event: Any, stream: Any) -> None:
        event.record(stream)

    def wait(self, event: Any) -> None:
        event.synchronize()

    def free_event(self, event: Any) -> None:
        """pycuda frees it with its last reference."""

    def mark(self) -> Any:
        return cuda.Event()

    def elapsed(self, first: Any, second: Any) -> float:
        return float(first.time_till(second))

    def copy_in(self, address: int, memory: _Pinned, stream: Any) -> None:
        cuda.memcpy_htod_async(address, memory.array, stream)

    def copy_out(self, memory: _Pinned, address: int, stream: Any) -> None:
        cuda.memcpy_dtoh_async(memory.array, address, stream)

    def begin(self, stream: Any) -> None:
        raise EdgeError("pycuda captures no graphs")

    def end(self, stream: Any) -> Any:
        raise EdgeError("pycuda captures no graphs")

    def launch(self, graph: Any, stream: Any) -> None:
        raise EdgeError("pycuda captures no graphs")

    def free_graph(self, graph: Any) -> None:
        raise EdgeError("pycuda captures no graphs")
