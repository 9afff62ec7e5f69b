"""Arrays on the GPU by torch or CuPy, whichever is installed; neither is a requirement.

Both compute on streams and memory that the driver layer made.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edge.runtime.cuda import is_installed


class Arrays(Protocol):
    """Arrays of one library. `xp` has numpy's functions by numpy's names."""

    name: str
    xp: Any

    def constant(self, values: npt.NDArray[Any]) -> Any:
        """A copy on the GPU."""

    def zeros(self, shape: tuple[int, ...]) -> Any:
        """float32 on the GPU."""

    def view(self, address: int, shape: tuple[int, ...], dtype: str) -> Any:
        """Memory of the GPU as an array, without a copy."""

    def ready(self) -> None:
        """Wait until all constants are on the GPU."""

    def on(self, stream: int, work: Callable[[], None]) -> None:
        """Put work on a stream of the driver layer."""

    def capturing(self, stream: int) -> bool:
        """Whether the stream records its work for a graph."""


class _Memory:
    """Memory of somebody else, as torch takes it."""

    def __init__(self, address: int, shape: tuple[int, ...], dtype: str) -> None:
        self.__cuda_array_interface__ = {
            "data": (address, False),
            "shape": shape,
            "typestr": np.dtype(dtype).str,
            "strides": None,
            "version": 3,
        }


class Torch:
    """device: where arrays are; tests compute on the CPU."""

    name = "torch"

    def __init__(self, device: str = "cuda") -> None:
        self.xp = importlib.import_module("torch")
        self.xp.backends.cudnn.allow_tf32 = self.xp.backends.cuda.matmul.allow_tf32 = False
        self._device = device
        self._streams: dict[int, Any] = {}

    def constant(self, values: npt.NDArray[Any]) -> Any:
        return self.xp.from_numpy(np.array(values)).to(self._device)

    def zeros(self, shape: tuple[int, ...]) -> Any:
        return self.xp.zeros(shape, device=self._device)

    def view(self, address: int, shape: tuple[int, ...], dtype: str) -> Any:
        return self.xp.as_tensor(_Memory(address, shape, dtype), device=self._device)

    def ready(self) -> None:
        self.xp.cuda.synchronize()

    def on(self, stream: int, work: Callable[[], None]) -> None:
        if stream not in self._streams:
            self._streams[stream] = self.xp.cuda.ExternalStream(stream)
        with self.xp.inference_mode(), self.xp.cuda.stream(self._streams[stream]):
            work()

    def capturing(self, stream: int) -> bool:
        return bool(self.xp.cuda.is_current_stream_capturing())


class CuPy:
    name = "cupy"

    def __init__(self) -> None:
        self.xp = importlib.import_module("cupy")

    def constant(self, values: npt.NDArray[Any]) -> Any:
        return self.xp.asarray(values)

    def zeros(self, shape: tuple[int, ...]) -> Any:
        return self.xp.zeros(shape, np.float32)

    def view(self, address: int, shape: tuple[int, ...], dtype: str) -> Any:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        memory = self.xp.cuda.UnownedMemory(address, size, None)
        return self.xp.ndarray(shape, dtype, self.xp.cuda.MemoryPointer(memory, 0))

    def ready(self) -> None:
        self.xp.cuda.Device().synchronize()

    def on(self, stream: int, work: Callable[[], None]) -> None:
        with self.xp.cuda.ExternalStream(stream):
            work()

    def capturing(self, stream: int) -> bool:
        return bool(self.xp.cuda.ExternalStream(stream).is_capturing())


LIBRARIES: dict[str, Callable[[], Arrays]] = {"torch": Torch, "cupy": CuPy}


def find_arrays() -> tuple[list[Arrays], str]:
    """The libraries that see the GPU, and why the others do not."""
    found: list[Arrays] = []
    reasons = []
    for name, library in LIBRARIES.items():
        if not is_installed(name):
            reasons.append(f"{name} is not installed")
            continue
        try:
            arrays = library()
            arrays.constant(np.zeros(1, np.float32))
            arrays.ready()
            found.append(arrays)
        except Exception as error:  # of whatever kind the library has for "no GPU"
            line = (str(error).strip() or type(error).__name__).splitlines()[0]
            reasons.append(f"{name} cannot use the GPU: {line}")
    return found, "; ".join(reasons)
