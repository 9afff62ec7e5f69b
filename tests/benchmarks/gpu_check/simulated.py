"""The simulated GPU of tests/stand_ins, and numpy as its array library."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

GPU = Path(__file__).parents[2] / "stand_ins" / "gpu"


def cuda_runtime() -> ModuleType:
    """A simulated GPU of its own, in place of cuda.bindings.runtime."""
    return _loaded(GPU / "cuda" / "bindings" / "runtime.py")


def tensorrt(runtime: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A simulated TensorRT on a GPU of `cuda_runtime`."""
    bindings = importlib.import_module("cuda.bindings")
    with monkeypatch.context() as within:
        within.setattr(bindings, "runtime", runtime, raising=False)
        return _loaded(GPU / "tensorrt.py")


def _loaded(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"simulated_{file.stem}", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class HostArrays:
    """An edge.benchmarks.gpu_check.arrays.Arrays; work is done when its stream comes to it."""

    name = "numpy"
    xp = np

    def __init__(self, runtime: ModuleType | None = None) -> None:
        self._runtime = runtime

    def constant(self, values: np.ndarray) -> np.ndarray:
        return np.array(values)

    def zeros(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.zeros(shape, np.float32)

    def view(self, address: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        block = (ctypes.c_uint8 * size).from_address(address)
        return np.ctypeslib.as_array(block).view(dtype).reshape(shape)

    def ready(self) -> None:
        pass

    def on(self, stream: int, work: Callable[[], Any]) -> None:
        assert self._runtime is not None
        self._runtime._do(stream, work)

    def capturing(self, stream: int) -> bool:
        return False
