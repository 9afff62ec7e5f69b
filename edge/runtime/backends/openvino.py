"""OpenVINO on the CPU: shared-memory tensors, one asynchronous request per slot."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.manifest import Manifest
from edge.runtime.backend import SLOTS, OpenOptions, check_instructions, check_not_older

# Importing OpenVINO forks processes that report to its maker's servers, and a fork beside the
# threads of BLAS can hang the program for good. Without its reporter module OpenVINO reports
# nothing. All other modules import `ov` from here.
_absent = sys.modules.setdefault("openvino_telemetry", None) is None  # type: ignore[arg-type]
import openvino as ov  # noqa: E402
from openvino import opset13  # noqa: E402

if _absent:
    del sys.modules["openvino_telemetry"]

__all__ = ["VERSION", "OpenVino", "compiled", "core", "ov"]

VERSION: str = ov.__version__.partition("-")[0]


@cache
def core() -> ov.Core:
    """OpenVINO's core, the same for the whole process.

    The CPU plugin of each core installs a stack for signals and frees it at its end. Of two cores
    that end in the order of their creation the first one's stays installed, and the next signal,
    such as Ctrl-C, is a segmentation fault.
    """
    return ov.Core()


def compiled(model: ov.Model, threads: int, precision: str) -> ov.CompiledModel:
    """precision: OpenVINO's hint; without it "FP32" is bfloat16 on CPUs that can do it."""
    return core().compile_model(
        model,
        "CPU",
        {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": precision,
            # Pinned, the threads of two processes end up on the same core, twice as slow.
            "ENABLE_CPU_PINNING": False,
        },
    )


def open_backend(folder: Path, manifest: Manifest, options: OpenOptions) -> OpenVino:
    check_instructions(folder, manifest)
    check_not_older(folder, manifest, VERSION)
    return OpenVino(folder, manifest, options)


class OpenVino:
    """The backend of `openvino` builds."""

    def __init__(self, folder: Path, manifest: Manifest, options: OpenOptions) -> None:
        threads = options.threads
        self._threads, self._fold = threads, options.fold
        self._precision = manifest.options["inference_precision"]
        self._file = folder / manifest.engine
        self._scene = [tensor.name for tensor in manifest.scene]
        self._background: ov.InferRequest | None = None
        if self._scene:
            model = core().read_model(folder / manifest.background)
            self._background = compiled(model, threads, "f32").create_infer_request()
        self._takes_bg = any(tensor.name == "bg" for tensor in manifest.inputs)
        self._bg = np.zeros((1, *manifest.imgsz, 3), np.uint8)
        blocks = [np.zeros_like(self._bg) for _ in range(SLOTS)]
        self.frames = [block[0] for block in blocks]
        results = [
            {t.name: np.zeros(t.shape, t.dtype) for t in manifest.outputs} for _ in range(SLOTS)
        ]
        self.outputs = [{name: a[0, 0] for name, a in result.items()} for result in results]
        self._requests: list[ov.InferRequest] = []
        self._blocks, self._results = blocks, results

    def set_background(self, bg: npt.NDArray[np.uint8]) -> None:
        np.copyto(self._bg[0], bg)
        if self._requests and not (self._fold and self._scene):
            return
        model = core().read_model(self._file)
        if self._fold and self._scene:
            for name, value in self._scene_values().items():
                self.make_constant(model, name, value)
        ready = compiled(model, self._threads, self._precision)
        self._requests = [self._bound(ready, slot) for slot in range(SLOTS)]

    def _scene_values(self) -> dict[str, npt.NDArray[np.float32]]:
        assert self._background is not None
        self._background.set_tensor("bg", ov.Tensor(self._bg, shared_memory=True))
        self._background.infer()
        return {name: self._background.get_tensor(name).data for name in self._scene}

    @staticmethod
    def make_constant(model: ov.Model, name: str, value: npt.NDArray[np.float32]) -> None:
        parameter = model.input(name).get_node()
        constant = opset13.constant(value.copy())
        parameter.output(0).replace(constant.output(0))
        model.remove_parameter(parameter)

    def _bound(self, ready: ov.CompiledModel, slot: int) -> ov.InferRequest:
        request = ready.create_infer_request()
        request.set_tensor("fg_bg", ov.Tensor(self._blocks[slot], shared_memory=True))
        if self._takes_bg:
            request.set_tensor("bg", ov.Tensor(self._bg, shared_memory=True))
        for name, value in self._results[slot].items():
            request.set_tensor(name, ov.Tensor(value, shared_memory=True))
        return request

    def _unfolded_inputs(self, slot: int) -> None:
        if not self._fold and self._scene:
            for name, value in self._scene_values().items():
                self._requests[slot].set_tensor(name, ov.Tensor(value, shared_memory=True))

    def run(self, slot: int) -> None:
        self._unfolded_inputs(slot)
        self._requests[slot].infer()

    def start(self, slot: int) -> None:
        self._unfolded_inputs(slot)
        self._requests[slot].start_async()

    def finish(self, slot: int) -> None:
        self._requests[slot].wait()

    def close(self) -> None:
        self._requests, self._background = [], None
