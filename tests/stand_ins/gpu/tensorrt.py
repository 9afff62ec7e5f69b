"""Stand-in for TensorRT: its plans are ONNX files, which ONNX Runtime computes.

Where NVIDIA's real bindings of a version are on the path, it has their version, logger and
enumerations, and nothing that is called here has a name that they lack.
Its timing cache is text: the GPU and the sha256 of each graph that was built.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
from cuda.bindings import runtime as cuda

__version__ = "10.3.0"
TYPES = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}
NetworkDefinitionCreationFlag = SimpleNamespace(STRONGLY_TYPED=1)
MemoryPoolType = SimpleNamespace(WORKSPACE=0)
ProfilingVerbosity = SimpleNamespace(DETAILED=2)
LayerInformationFormat = SimpleNamespace(JSON=1)
THIS_GPU = "SM87"


class ILogger:
    ERROR, INTERNAL_ERROR, WARNING = "error", "internal error", "warning"


class TimingCache:
    def __init__(self, text: str) -> None:
        self.lines = text.splitlines() or [THIS_GPU]

    def serialize(self) -> memoryview:
        return memoryview("\n".join(self.lines).encode())


class BuilderConfig:
    def __init__(self) -> None:
        self._cache = TimingCache("")

    def set_memory_pool_limit(self, pool: int, size: int) -> None:
        pass

    def create_timing_cache(self, data: bytes) -> TimingCache:
        return TimingCache(data.decode())

    def set_timing_cache(self, cache: TimingCache, ignore_mismatch: bool) -> bool:
        if fits := cache.lines[0] == THIS_GPU:
            self._cache = cache
        return fits

    def get_timing_cache(self) -> TimingCache:
        return self._cache

    def add_optimization_profile(self, profile: OptimizationProfile) -> int:
        self._profiles = [profile]
        return 0


class OptimizationProfile:
    """It refuses what is no range of sides, as TensorRT does."""

    def __init__(self) -> None:
        self._shapes: dict[str, tuple[tuple[int, ...], ...]] = {}

    def set_shape(
        self, name: str, low: tuple[int, ...], best: tuple[int, ...], high: tuple[int, ...]
    ) -> None:
        assert all(1 <= a <= b <= c for a, b, c in zip(low, best, high, strict=True)), name
        self._shapes[name] = low, best, high


class Network:
    data = b""

    @property
    def _inputs(self) -> list[Any]:
        return list(onnx.load_from_string(self.data).graph.input)

    @property
    def num_inputs(self) -> int:
        return len(self._inputs)

    def get_input(self, index: int) -> SimpleNamespace:
        value = self._inputs[index]
        sides = value.type.tensor_type.shape.dim
        shape = tuple(-1 if side.dim_param else side.dim_value for side in sides)
        return SimpleNamespace(name=value.name, shape=shape)


class Builder:
    def __init__(self, log: ILogger) -> None:
        pass

    def create_network(self, flags: int) -> Network:
        return Network()

    def create_optimization_profile(self) -> OptimizationProfile:
        return OptimizationProfile()

    def create_builder_config(self) -> BuilderConfig:
        return BuilderConfig()

    def build_serialized_network(self, network: Network, config: BuilderConfig) -> bytes:
        _check_profile(network, config)
        key, lines = hashlib.sha256(network.data).hexdigest(), config.get_timing_cache().lines
        lines += [key] if key not in lines else []
        return bytes(network.data)


def _check_profile(network: Network, config: BuilderConfig) -> None:
    """Every input with an open side has a range in a profile."""
    shapes = [network.get_input(index) for index in range(network.num_inputs)]
    profiled = {n for p in getattr(config, "_profiles", ()) for n in p._shapes}
    assert not {v.name for v in shapes if -1 in v.shape} - profiled


class OnnxParser:
    num_errors = 0

    def __init__(self, network: Network, log: ILogger) -> None:
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
        self.plan = plan
        self.session = onnxruntime.InferenceSession(plan, options)
        self.inputs, self.outputs = self.session.get_inputs(), self.session.get_outputs()
        self.num_io_tensors = len(self.inputs) + len(self.outputs)

    def get_tensor_name(self, index: int) -> str:
        return str([*self.inputs, *self.outputs][index].name)

    def create_execution_context(self) -> Context:
        return Context(self)

    def create_engine_inspector(self) -> Inspector:
        return Inspector(self.plan)


class Inspector:
    """It fuses what quantizes with the convolution, as TensorRT does."""

    def __init__(self, plan: bytes) -> None:
        self._graph = onnx.load_from_string(plan).graph

    def get_engine_information(self, format: int) -> str:
        made = {name: node.op_type for node in self._graph.node for name in node.output}
        layers = [
            {
                "Name": f"{node.input[1]} + {node.name}",
                "LayerType": "CaskConvolution",
                "Inputs": [{"Name": node.input[0], "Format/Datatype": types[0]}],
                "Weights": {"Type": types[1], "Count": 9},
                "Metadata": f"[ONNX Layer: {node.input[1]}]\x1e[ONNX Layer: {node.name}]",
            }
            for node in self._graph.node
            if node.op_type in ("Conv", "ConvTranspose")
            for types in [
                ["Int8" if made.get(n) == "DequantizeLinear" else "Float" for n in node.input[:2]]
            ]
        ]
        return json.dumps({"Layers": layers, "Bindings": []})


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
        "LayerInformationFormat",
        "MemoryPoolType",
        "NetworkDefinitionCreationFlag",
        "ProfilingVerbosity",
    ):
        globals()[name] = getattr(real, name)
    for ours, theirs in (
        (Builder, real.Builder),
        (BuilderConfig, real.IBuilderConfig),
        (TimingCache, real.ITimingCache),
        (OptimizationProfile, real.IOptimizationProfile),
        (Network, real.INetworkDefinition),
        (OnnxParser, real.OnnxParser),
        (Runtime, real.Runtime),
        (Engine, real.ICudaEngine),
        (Context, real.IExecutionContext),
        (Inspector, real.EngineInspector),
    ):
        lacking = [n for n in vars(ours) if n[0] != "_" and n != "data" and not hasattr(theirs, n)]
        assert not lacking, f"TensorRT {__version__} has no {lacking} of {theirs.__name__}"
