"""A GPU and a TensorRT that can be looked into: what they are asked is done late, and noted.

The driver has streams whose work is done only when somebody waits for it, memory of its own, and
graphs. The engines compute with ONNX Runtime: their plans are ONNX files. Nothing here has a name
that the real TensorRT lacks (test_tensorrt_names.py).
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
import onnxruntime

from edge.runtime.cuda import OutOfMemory

Work = tuple[str, Callable[[], None]]


class Stream:
    def __init__(self, number: int) -> None:
        self.number = number
        self.pending: list[Work] = []
        self.captured: list[Work] | None = None


class Event:
    def __init__(self) -> None:
        self.stream: Stream | None = None
        self.until = 0
        self.at: int | None = None


class Pinned:
    def __init__(self, size: int, mapped: bool) -> None:
        self.array = np.zeros(size, np.uint8)
        self.device = self.array.ctypes.data if mapped else 0


class FakeCuda:
    """An edge.runtime.cuda.Cuda. done: what was done, in order; made: what was allocated."""

    def __init__(self, integrated: bool = False, graphs: bool = True, capability: int = 86) -> None:
        self.integrated, self.graphs, self.capability = integrated, graphs, capability
        self.done: list[str] = []
        self.made: list[str] = []
        self.blocks: dict[int, Any] = {}
        self.streams: dict[int, Stream] = {}
        self.live_graphs: list[list[Work]] = []
        self.threads: set[int] = set()
        self.lock = threading.RLock()
        self.room = 1 << 30

    @contextmanager
    def active(self) -> Iterator[None]:
        self.threads.add(threading.get_ident())
        yield

    def pinned(self, size: int) -> Pinned:
        self.made.append("pinned")
        return Pinned(size, self.integrated)

    def name(self) -> str:
        return "fake GPU"

    def memory(self) -> tuple[int, int]:
        return self.room - sum(ctypes.sizeof(block) for block in self.blocks.values()), 1 << 30

    def device(self, size: int) -> int:
        if size > self.memory()[0]:
            raise OutOfMemory("CUDA: out of memory (cudaErrorMemoryAllocation)")
        self.made.append("device")
        block = (ctypes.c_uint8 * size)()
        self.blocks[ctypes.addressof(block)] = block
        return ctypes.addressof(block)

    def free_device(self, address: int) -> None:
        del self.blocks[address]

    def stream(self) -> Stream:
        self.made.append("stream")
        made = Stream(1000 + len(self.made))
        self.streams[made.number] = made
        return made

    def handle(self, stream: Stream) -> int:
        return stream.number

    def free_stream(self, stream: Stream) -> None:
        assert not stream.pending, "freed with work under way"
        del self.streams[stream.number]

    def event(self) -> Event:
        self.made.append("event")
        return Event()

    def free_event(self, event: Event) -> None:
        event.stream = None

    def mark(self) -> Event:
        """Its clock ticks once for each piece of work that is done."""
        made = Event()
        made.at = -1
        return made

    def elapsed(self, first: Event, second: Event) -> float:
        assert first.at is not None and second.at is not None
        assert first.at >= 0 and second.at >= 0, "asked for before it was reached"
        return float(second.at - first.at)

    def add(self, stream: Stream, name: str, work: Callable[[], None]) -> None:
        queue = stream.pending if stream.captured is None else stream.captured
        queue.append((name, work))

    def _run(self, stream: Stream, count: int) -> None:
        with self.lock:
            for name, work in stream.pending[:count]:
                work()
                self.done.append(name)
            del stream.pending[:count]

    def synchronize(self, stream: Stream) -> None:
        self._run(stream, len(stream.pending))

    def record(self, event: Event, stream: Stream) -> None:
        event.stream, event.until = stream, len(stream.pending)
        if event.at is not None:
            self.add(stream, "mark", lambda: setattr(event, "at", self._ticks()))

    def _ticks(self) -> int:
        return sum(name != "mark" for name in self.done)

    def wait(self, event: Event) -> None:
        if event.stream is not None:
            self._run(event.stream, event.until)
            event.until = 0

    def copy_in(self, address: int, memory: Pinned, stream: Stream) -> None:
        block, source = self.blocks[address], memory.array
        self.add(stream, "in", lambda: ctypes.memmove(block, source.ctypes.data, source.nbytes))

    def copy_out(self, memory: Pinned, address: int, stream: Stream) -> None:
        block, to = self.blocks[address], memory.array
        self.add(stream, "out", lambda: ctypes.memmove(to.ctypes.data, block, to.nbytes))

    def begin(self, stream: Stream) -> None:
        assert not stream.pending, "captured behind work that is under way"
        stream.captured = []

    def end(self, stream: Stream) -> list[Work]:
        assert stream.captured is not None
        graph, stream.captured = stream.captured, None
        self.made.append("graph")
        self.live_graphs.append(graph)
        return graph

    def launch(self, graph: list[Work], stream: Stream) -> None:
        assert any(graph is live for live in self.live_graphs), "launched after it was freed"
        stream.pending += graph

    def free_graph(self, graph: list[Work]) -> None:
        self.live_graphs = [live for live in self.live_graphs if live is not graph]


TYPES = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}


class ICudaEngine:
    def __init__(self, trt: FakeTrt, model: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = 1
        self._trt = trt
        self._session = onnxruntime.InferenceSession(model, options)
        self._inputs, self._outputs = self._session.get_inputs(), self._session.get_outputs()

    @property
    def num_io_tensors(self) -> int:
        return len(self._inputs) + len(self._outputs)

    def get_tensor_name(self, index: int) -> str:
        return str([*self._inputs, *self._outputs][index].name)

    def create_runtime_config(self) -> IRuntimeConfig:
        return IRuntimeConfig(self._trt)

    def create_execution_context(
        self, config: IRuntimeConfig | None = None
    ) -> IExecutionContext | None:
        if self._trt._no_room_after == len(self._trt._contexts):
            self._trt._log.log(FakeTrt.ILogger.ERROR, "Requested amount of GPU memory (9 bytes)"
                " could not be allocated")  # fmt: skip
            return None
        self._trt._contexts.append(config)
        return IExecutionContext(self)

    def create_engine_inspector(self) -> EngineInspector:
        return EngineInspector()


class EngineInspector:
    """Of an engine that was built without detailed profiling verbosity: names alone."""

    def get_engine_information(self, format: str) -> str:
        return '{"Layers": ["stem + relu"]}'


class IRuntimeCache:
    def __init__(self, trt: FakeTrt) -> None:
        self._trt = trt

    def deserialize(self, data: bytes) -> bool:
        self._trt._cache_given.append(data)
        return data.startswith(b"compiled")

    def serialize(self) -> memoryview:
        return memoryview(b"compiled kernels")


class IRuntimeConfig:
    def __init__(self, trt: FakeTrt) -> None:
        self._trt = trt
        self.cuda_graph_strategy: Any = None

    def create_runtime_cache(self) -> IRuntimeCache:
        return IRuntimeCache(self._trt)

    def set_runtime_cache(self, cache: IRuntimeCache) -> bool:
        return True


class IExecutionContext:
    def __init__(self, engine: ICudaEngine) -> None:
        self._engine = engine
        self._addresses: dict[str, int] = {}

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._addresses[name] = memory
        return memory != 0

    def execute_async_v3(self, stream_handle: int) -> bool:
        engine, cuda = self._engine, self._engine._trt._cuda
        if engine._trt._broken:
            engine._trt._log.log(FakeTrt.ILogger.ERROR, "an illegal memory access")
            return False
        cuda.add(cuda.streams[stream_handle], "run", self._compute)
        return True

    def _compute(self) -> None:
        def at(value: Any) -> np.ndarray:
            dtype = TYPES[value.type]
            size = int(np.prod(value.shape)) * np.dtype(dtype).itemsize
            block = (ctypes.c_uint8 * size).from_address(self._addresses[value.name])
            return np.ctypeslib.as_array(block).view(dtype).reshape(value.shape)

        engine = self._engine
        feeds = {value.name: at(value).copy() for value in engine._inputs}
        found = engine._session.run([v.name for v in engine._outputs], feeds)
        for value, result in zip(engine._outputs, found, strict=True):
            at(value)[...] = result


class FakeTrt:
    """A module as `tensorrt` or `tensorrt_rtx`."""

    class ILogger:
        ERROR, INTERNAL_ERROR, WARNING = "error", "internal error", "warning"

    class LayerInformationFormat:
        JSON = "json"

    class CudaGraphStrategy:
        WHOLE_GRAPH_CAPTURE = "whole"

    def __init__(self, cuda: FakeCuda, version: str = "11.4.0", name: str = "fake_trt") -> None:
        self.__name__, self.__version__ = f"{name}{id(self)}", version
        self._cuda = cuda
        self._contexts: list[Any] = []
        self._cache_given: list[bytes] = []
        self._broken = False
        self._no_room_after: int | None = None
        self._log: Any = None

    def Runtime(self, log: Any) -> IRuntime:
        self._log = log
        return IRuntime(self)


class IRuntime:
    def __init__(self, trt: FakeTrt) -> None:
        self._trt = trt

    def deserialize_cuda_engine(self, plan: bytes) -> ICudaEngine | None:
        try:
            onnx.load_from_string(plan)
            return ICudaEngine(self._trt, plan)
        except Exception:
            self._trt._log.log(FakeTrt.ILogger.ERROR, "the plan was made for another GPU")
            return None
