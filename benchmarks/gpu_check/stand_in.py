"""A stand-in for TensorRT: the runtime's own backend with an engine that an array library computes.

What is checked is everything but TensorRT: the driver layer, the slots and their buffers, the
captured graphs, on the streams and pointers that TensorRT would get. Its plan is the ONNX graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx

from edge import manifest as manifests
from edge.benchmarks.gpu_check.arrays import Arrays
from edge.benchmarks.gpu_check.network import Network
from edge.builder.plan import float_plan
from edge.builder.write import write_build
from edge.runtime.backends.tensorrt import TensorRt
from edge.runtime.handle import Handle
from edge.targets import BACKGROUND, FRAME, Engine, Target


class StandInTarget(Target):
    def why_not_here(self) -> str:
        return ""

    def make_engine(self, folder: Path, precision: str, sms: Sequence[int]) -> Engine:
        background = BACKGROUND if (folder / BACKGROUND).exists() else ""
        return Engine(FRAME, background, (FRAME,), StandIn.__version__)


TARGET = StandInTarget(
    name="stand-in",
    modules=("stand_in",),
    extra="",
    packages=(),
    backend="tensorrt",
    device="gpu",
    precisions=("fp32",),
    scheme="s8",
    upsample="convtranspose",
    channels=1,
)


def build_stand_in(network: onnx.ModelProto, name: str, place: Path) -> None:
    """Build a network in float32 for the stand-in."""
    write_build(float_plan(network, name, TARGET, "fp32", "make gpu-check"), place)


def open_stand_in(place: Path, cuda: Any, arrays: Arrays, *, fold: bool = True) -> Handle:
    """Open a build of `build_stand_in` as edge.open opens one of TensorRT."""
    manifest = manifests.read(place)
    trt: Any = StandIn(arrays)
    return Handle(manifest, TensorRt(place, manifest, fold, cuda, trt))


class StandIn:
    """What the backend uses of the module `tensorrt`."""

    __version__ = "1.0"

    class ILogger:
        ERROR, INTERNAL_ERROR, WARNING = "error", "internal error", "warning"

    def __init__(self, arrays: Arrays) -> None:
        self.__name__ = f"stand-in for TensorRT by {arrays.name}"
        self._arrays = arrays

    def Runtime(self, log: object) -> _Runtime:
        return _Runtime(self._arrays)


class _Runtime:
    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays

    def deserialize_cuda_engine(self, plan: bytes) -> _Engine:
        return _Engine(Network(plan, self._arrays))


class _Engine:
    def __init__(self, network: Network) -> None:
        self._network = network
        self._names = [tensor.name for tensor in (*network.inputs, *network.outputs)]
        self.num_io_tensors = len(self._names)

    def get_tensor_name(self, index: int) -> str:
        return self._names[index]

    def create_execution_context(self) -> _Context:
        return _Context(self._network)


class _Context:
    def __init__(self, network: Network) -> None:
        self._network, self._arrays = network, network.arrays
        self._addresses: dict[str, int] = {}
        self._views: dict[str, Any] = {}
        self._captured: list[dict[str, Any]] = []

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._addresses[name] = memory
        self._views.clear()
        return memory != 0

    def execute_async_v3(self, stream: int) -> bool:
        self._arrays.on(stream, lambda: self._compute(stream))
        return True

    def _compute(self, stream: int) -> None:
        network = self._network
        if not self._views:
            self._views = {
                tensor.name: self._arrays.view(
                    self._addresses[tensor.name], tensor.shape, tensor.dtype
                )
                for tensor in (*network.inputs, *network.outputs)
            }
        values = network.run({tensor.name: self._views[tensor.name] for tensor in network.inputs})
        for tensor in network.outputs:
            self._views[tensor.name][...] = values[tensor.name]
        if self._arrays.capturing(stream):
            # A graph computes in the memory that its arrays had when it was captured.
            self._captured.append(values)
