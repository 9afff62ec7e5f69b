"""Stand-in for TensorRT: its plans are ONNX files, which ONNX Runtime computes.

Where NVIDIA's real bindings of a version are on the path, it has their version, logger and
enumerations, and nothing that is called here has a name that they lack.
"""

from __future__ import annotations

import ctypes
import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
from cuda.bindings import runtime as cuda

__version__ = "10.3.0"
TYPES = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}
NetworkDefinitionCreationFlag = SimpleNamespace(STRONGLY_TYPED=1)
MemoryPoolType = SimpleNamespace(WORKSPACE=0)
ProfilingVerbosity = SimpleNamespace(DETAILED=2)


class ILogger:
    ERROR, INTERNAL_ERROR = "error", "internal error"


class Builder:
    def __init__(self, log: ILogger) -> None:
        pass

    def create_network(self, flags: int) -> SimpleNamespace:
        return SimpleNamespace(data=b"")

    def create_builder_config(self) -> SimpleNamespace:
        return SimpleNamespace(set_memory_pool_limit=lambda pool, size: None)

    def build_serialized_network(self, network: SimpleNamespace, config: object) -> bytes:
        return bytes(network.data)


class OnnxParser:
    num_errors = 0

    def __init__(self, network: SimpleNamespace, log: ILogger) -> None:
        self._network = network

    def parse_from_file(self, file: str) -> bool:
        self._network.data = Path(file).read_bytes()
        return True


class Runtime:
    def __init__(self, log: ILogger) -> None:
        pass

    def deserialize_cuda_engine(self, plan: bytes) -> Engine:
        return Engine(plan)


class Engine:
    def __init__(self, plan: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(plan, options)
        self.inputs, self.outputs = self.session.get_inputs(), self.session.get_outputs()
        self.num_io_tensors = len(self.inputs) + len(self.outputs)

    def get_tensor_name(self, index: int) -> str:
        return str([*self.inputs, *self.outputs][index].name)

    def create_execution_context(self) -> Context:
        return Context(self)


class Context:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._addresses: dict[str, int] = {}

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        cuda._do(stream, self._compute)
        return True

    def _tensor(self, value: Any) -> np.ndarray:
        dtype = TYPES[value.type]
        size = int(np.prod(value.shape)) * np.dtype(dtype).itemsize
        block = (ctypes.c_uint8 * size).from_address(self._addresses[value.name])
        return np.ctypeslib.as_array(block).view(dtype).reshape(value.shape)

    def _compute(self) -> None:
        engine = self._engine
        feeds = {value.name: self._tensor(value).copy() for value in engine.inputs}
        results = engine.session.run([value.name for value in engine.outputs], feeds)
        for value, result in zip(engine.outputs, results, strict=True):
            self._tensor(value)[...] = result


try:
    real: Any = importlib.import_module("tensorrt_bindings")
except ModuleNotFoundError:
    real = None
if real is not None:
    __version__ = real.__version__
    for name in (
        "ILogger",
        "MemoryPoolType",
        "NetworkDefinitionCreationFlag",
        "ProfilingVerbosity",
    ):
        globals()[name] = getattr(real, name)
    for ours, theirs in (
        (Builder, real.Builder),
        (OnnxParser, real.OnnxParser),
        (Runtime, real.Runtime),
        (Engine, real.ICudaEngine),
        (Context, real.IExecutionContext),
    ):
        lacking = [n for n in vars(ours) if n[0] != "_" and not hasattr(theirs, n)]
        assert not lacking, f"TensorRT {__version__} has no {lacking} of {theirs.__name__}"
