"""The CUDA calls that the TensorRT backend needs, and the libraries that provide them.

Streams, events and graphs are opaque objects of the library.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edge.errors import BuildMismatch, EdgeError, UsageError, install_command, missing
from edge.runtime import nvidia


class Pinned(Protocol):
    """Page-locked host memory, given back with the last view of `array`, uint8 [size].

    device: its address on the GPU; 0 where the GPU has memory of its own.
    """

    array: npt.NDArray[np.uint8]
    device: int


class Cuda(Protocol):
    """One GPU. Work on a stream is done in order; calls return before it is.

    integrated: the GPU shares the host's memory, so pinned memory needs no copies.
    graphs: work can be captured once and launched again. capability: 86 for compute capability 8.6.
    """

    integrated: bool
    graphs: bool
    capability: int

    def active(self) -> AbstractContextManager[object]:
        """Within it the GPU is that of this thread; around everything else in each call."""

    def pinned(self, size: int) -> Pinned:
        """Raises OutOfMemory, as `device` does."""

    def device(self, size: int) -> int:
        """The address of `size` bytes of the GPU's memory."""

    def free_device(self, address: int) -> None: ...

    def name(self) -> str:
        """The GPU's, as NVIDIA writes it."""

    def memory(self) -> tuple[int, int]:
        """Bytes of the GPU's memory that are free, and all of them."""

    def stream(self) -> Any: ...

    def handle(self, stream: Any) -> int:
        """The stream as TensorRT takes it."""

    def synchronize(self, stream: Any) -> None: ...

    def free_stream(self, stream: Any) -> None: ...

    def event(self) -> Any: ...

    def record(self, event: Any, stream: Any) -> None: ...

    def wait(self, event: Any) -> None:
        """Sleep, without spinning, until what was recorded is done."""

    def free_event(self, event: Any) -> None: ...

    def mark(self) -> Any:
        """An event that remembers when it was reached; freed as any other."""

    def elapsed(self, first: Any, second: Any) -> float:
        """Milliseconds between two marks that were reached, by the GPU's clock."""

    def copy_in(self, address: int, memory: Pinned, stream: Any) -> None:
        """All of the pinned memory to the GPU."""

    def copy_out(self, memory: Pinned, address: int, stream: Any) -> None: ...

    def begin(self, stream: Any) -> None:
        """Record what follows on the stream instead of doing it."""

    def end(self, stream: Any) -> Any:
        """The graph of what was recorded."""

    def launch(self, graph: Any, stream: Any) -> None: ...

    def free_graph(self, graph: Any) -> None: ...


FREE_MEMORY = (
    "end other programs that use the GPU (nvidia-smi lists them, on a Jetson tegrastats),"
    " or build a smaller network or --imgsz"
)


class OutOfMemory(EdgeError):
    """The GPU, or the memory that it shares with the host, is full."""

    def __init__(self, message: str, hint: str = FREE_MEMORY) -> None:
        super().__init__(message, hint)


def is_out_of_memory(words: str) -> bool:
    """Whether TensorRT or CUDA complain of too little memory."""
    return bool(re.search(r"out ?of ?memory|memoryallocation|could not be allocated", words, re.I))


BACKENDS = {"cuda-python": "cuda.bindings", "pycuda": "pycuda"}
"""Names as in `--cuda-backend`, the preferred first, and the module that each needs."""
FILES = {"cuda-python": "edge.runtime.cuda_python", "pycuda": "edge.runtime.cuda_pycuda"}


def is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of the package around it
        return False


def check_name(name: str) -> str:
    """A name as in `--cuda-backend`; UsageError where it is unknown."""
    if name != "auto" and name not in BACKENDS:
        raise UsageError(f"unknown --cuda-backend {name!r}; known: auto, {', '.join(BACKENDS)}")
    return name


def driver(name: str = "auto") -> Cuda:
    """Open the GPU through the library of that name; `auto` takes the installed one.

    Raises:
        BuildMismatch: No GPU, no driver, or bindings that are too new for it.
        EdgeError: The library is not installed.
    """
    check_name(name)
    libraries = [
        each for each in BACKENDS if is_installed(BACKENDS[each]) and name in ("auto", each)
    ]
    if not libraries:
        if name == "pycuda":
            raise missing("pycuda")
        if nvidia.driver_cuda() is None:
            raise no_gpu("no NVIDIA driver")
        raise EdgeError(
            f"this needs `{nvidia.BINDINGS}`, which is not installed",
            install_command(nvidia.extra()),
        )
    try:
        module = importlib.import_module(FILES[libraries[0]])
    except ImportError as error:  # pycuda is linked to the driver's library
        raise no_gpu(error) from error
    made: Cuda = module.Driver()
    return made


CPU = "builds for openvino and onnxruntime need none: edge build --target openvino"


def no_gpu(why: object, hint: str = CPU) -> BuildMismatch:
    return BuildMismatch(f"no usable GPU on this machine ({why})", hint)
