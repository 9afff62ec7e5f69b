"""TensorRT and TensorRT-RTX: two slots, each with a stream, fixed buffers and one captured graph.

The background's share runs once per scene, and what it gives stays on the GPU. Where the GPU has
memory of its own a frame is copied in and its mask and depth are copied out; where it shares the
host's (Jetson) nothing is copied.
"""

from __future__ import annotations

import importlib
import os
import re
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from edge import signature
from edge.errors import BuildMismatch, EdgeError, missing
from edge.manifest import CACHE, Manifest, Tensor
from edge.runtime import cuda as drivers
from edge.runtime.backend import SLOTS, OpenOptions, Plane, version
from edge.runtime.cuda import FREE_MEMORY, Cuda, OutOfMemory, Pinned, is_out_of_memory

LAST = 8
"""Messages of TensorRT that are kept: the last say why something failed."""
_loggers: dict[str, Any] = {}


def load(module: str) -> ModuleType:
    """TensorRT-RTX's wheels come with or without their outer package; both hold the bindings."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        try:
            return importlib.import_module(f"{module}_bindings")
        except ModuleNotFoundError:
            if isinstance(error, ModuleNotFoundError):
                raise missing(module) from error
            raise EdgeError(f"`{module}` is installed, but cannot be loaded: {error}") from error


def logger(trt: ModuleType) -> Any:
    """A logger that keeps TensorRT's errors in `said` and its warnings in `warned`. It takes one
    per process."""
    if trt.__name__ not in _loggers:

        class Kept(trt.ILogger):  # type: ignore[name-defined,misc]
            def __init__(self) -> None:
                trt.ILogger.__init__(self)
                self.said: deque[str] = deque(maxlen=LAST)
                self.warned: deque[str] = deque(maxlen=LAST)

            def log(self, severity: Any, message: str) -> None:
                if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                    self.said.append(message)
                elif severity == trt.ILogger.WARNING:
                    self.warned.append(message)

        _loggers[trt.__name__] = Kept()
    log = _loggers[trt.__name__]
    log.said.clear()
    log.warned.clear()
    return log


def open_backend(folder: Path, manifest: Manifest, options: OpenOptions) -> TensorRt:
    module, built = manifest.runtime
    trt = load(module)
    if version(trt.__version__) != version(built):
        raise BuildMismatch(
            f"{folder} was built with {module} {built}, found {trt.__version__}, and a plan fits"
            " one version",
            f"build again: {manifest.command}",
        )
    return TensorRt(folder, manifest, options.fold, drivers.driver(options.cuda), trt)


def _for_sm(command: str, capability: int) -> str:
    """The build command for another GPU generation."""
    return f"{re.sub(r' --sm [0-9,]+', '', command)} --sm {capability}"


def _bytes(tensor: Tensor) -> int:
    return int(np.prod(tensor.shape)) * np.dtype(tensor.dtype).itemsize


class _Slot:
    """The GPU resources of one frame under way.

    pinned: what crosses between host and GPU, by name; device: the address of every tensor.
    """

    def __init__(self, cuda: Cuda) -> None:
        self.stream, self.done = cuda.stream(), cuda.event()
        self.pinned: dict[str, Pinned] = {}
        self.device: dict[str, int] = {}
        self.owned: list[int] = []
        self.frame: Any = None
        self.background: Any = None
        self.graph: Any = None
        self.warm = False


class TensorRt:
    """Backend of the targets `tensorrt` and `tensorrt-rtx`."""

    def __init__(
        self, folder: Path, manifest: Manifest, fold: bool, cuda: Cuda, trt: ModuleType
    ) -> None:
        self._folder, self._manifest, self._cuda, self._trt = folder, manifest, cuda, trt
        self._log = logger(trt)
        self._unfolded = bool(manifest.scene) and not fold
        if manifest.sm and cuda.capability not in manifest.sm:
            named = manifest.target == "tensorrt-rtx"
            command = _for_sm(manifest.command, cuda.capability) if named else manifest.command
            raise BuildMismatch(
                f"{folder} was built for SM {', '.join(map(str, manifest.sm))}, this GPU is SM"
                f" {cuda.capability}",
                f"build it {'for this one' if named else 'on this machine'}: {command}",
            )
        self._slots: list[_Slot] = []
        with cuda.active():
            try:
                self._open()
            except OutOfMemory as error:
                full = self._no_memory(error.message)
                self.close()
                raise full from error
            except BaseException:
                self.close()
                raise

    def _no_memory(self, why: str) -> OutOfMemory:
        """The error for a build that the GPU has no room for."""
        free, total = self._cuda.memory()
        plans = [name for name in (self._manifest.engine, self._manifest.background) if name]
        manifest = self._manifest
        tensors = (*manifest.inputs, *manifest.scene_inputs, *manifest.scene, *manifest.outputs)
        need = sum((self._folder / name).stat().st_size for name in plans)
        need += SLOTS * sum(map(_bytes, tensors))
        return OutOfMemory(
            f"the GPU has no room for {self._folder}: {free / 1e6:.0f} of {total / 1e6:.0f} MB are"
            f" free, it needs more than {need / 1e6:.0f} MB ({why})"
        )

    def _open(self) -> None:
        manifest, trt = self._manifest, self._trt
        self._runtime = trt.Runtime(self._log)
        self._frame = self._engine(manifest.engine)
        self._background = self._engine(manifest.background) if manifest.scene else None
        self._compiled: dict[Path, Any] = {}
        self._config = self._rtx_config(self._frame, manifest.engine)
        self._background_config = self._rtx_config(self._background, manifest.background)
        image = Tensor("fg_bg", (1, *manifest.imgsz, 3), "uint8")
        for _ in range(SLOTS):
            self._slots.append(_Slot(self._cuda))
            self._fill(self._slots[-1], image)
        self.frames = [self._view(slot, "fg_bg", image)[0] for slot in self._slots]
        self.outputs: list[dict[str, Plane]] = [
            {
                tensor.name: self._view(slot, tensor.name, tensor)[0, 0]
                for tensor in manifest.outputs
            }
            for slot in self._slots
        ]

    # ------------------------------------------------------------------ opening

    def _engine(self, name: str) -> Any:
        """A plan on the GPU; BuildMismatch with TensorRT's own words where it does not fit."""
        self._log.said.clear()
        engine = self._runtime.deserialize_cuda_engine((self._folder / name).read_bytes())
        if engine is None:
            why = "; ".join(self._log.said) or "it gave no reason"
            if is_out_of_memory(why):
                raise OutOfMemory(why)
            raise BuildMismatch(
                f"{self._manifest.runtime[0]} {self._trt.__version__} cannot load"
                f" {self._folder / name}: {why}",
                f"build it on this machine: {self._manifest.command}",
            )
        return engine

    def _rtx_config(self, engine: Any, plan: str) -> Any:
        """TensorRT-RTX compiles kernels when a plan is opened, and captures graphs by itself."""
        if engine is None or self._manifest.target != "tensorrt-rtx":
            return None
        config = engine.create_runtime_config()
        cache = config.create_runtime_cache()
        file = (self._folder / plan).with_suffix(CACHE)
        kept = b""
        if not signature.required():  # kernels are code, and nobody signed these
            with suppress(OSError):
                kept = file.read_bytes()
        # A cache of another GPU or version is not taken: kernels are compiled anew, and kept.
        if not (kept and cache.deserialize(kept)):
            self._compiled[file] = cache
        config.set_runtime_cache(cache)
        config.cuda_graph_strategy = self._trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        return config

    def _fill(self, slot: _Slot, image: Tensor) -> None:
        """Allocate a slot's buffers and make its contexts."""
        manifest, cuda = self._manifest, self._cuda
        crossing = (*manifest.scene_inputs, image, *manifest.outputs)
        for tensor in crossing:
            memory = slot.pinned[tensor.name] = cuda.pinned(_bytes(tensor))
            memory.array[:] = 0
            if cuda.integrated:
                slot.device[tensor.name] = memory.device
        for tensor in (*crossing, *manifest.scene):
            if tensor.name not in slot.device:
                slot.device[tensor.name] = cuda.device(_bytes(tensor))
                slot.owned.append(slot.device[tensor.name])
        slot.frame = self._context(self._frame, self._config, slot)
        if self._background is not None:
            slot.background = self._context(self._background, self._background_config, slot)

    def _context(self, engine: Any, config: Any, slot: _Slot) -> Any:
        self._log.said.clear()
        context = (
            engine.create_execution_context(config) if config else engine.create_execution_context()
        )
        if context is None:
            # TensorRT allocates a context's memory and says so only in its log.
            raise OutOfMemory("; ".join(self._log.said) or "TensorRT makes no execution context")
        for index in range(engine.num_io_tensors):
            name = engine.get_tensor_name(index)
            if not context.set_tensor_address(name, slot.device[name]):
                raise EdgeError(f"{self._folder}: TensorRT refuses the buffer of {name}")
        return context

    @staticmethod
    def _view(slot: _Slot, name: str, tensor: Tensor) -> npt.NDArray[Any]:
        return slot.pinned[name].array.view(tensor.dtype).reshape(tensor.shape)

    # ------------------------------------------------------------------ running

    def set_background(self, images: Mapping[str, npt.NDArray[np.uint8]]) -> None:
        with self._cuda.active():
            self._take_background(images)

    def scene_tensor(self, name: str) -> npt.NDArray[Any]:
        tensor = next(each for each in self._manifest.scene if each.name == name)
        slot = self._slots[0]
        with self._cuda.active():
            memory = self._cuda.pinned(_bytes(tensor))
            self._cuda.copy_out(memory, slot.device[name], slot.stream)
            self._cuda.synchronize(slot.stream)
            return np.array(memory.array.view(tensor.dtype).reshape(tensor.shape))

    def _take_background(self, images: Mapping[str, npt.NDArray[np.uint8]]) -> None:
        for slot in self._slots:
            for tensor in self._manifest.scene_inputs:
                np.copyto(slot.pinned[tensor.name].array, images[tensor.name].reshape(-1))
                self._copy_in(slot, tensor.name)
            if slot.background is not None:
                self._execute(slot.background, slot)
            self._cuda.synchronize(slot.stream)
            if not slot.warm:
                self._warm_up(slot)
        self._keep_caches()

    def _warm_up(self, slot: _Slot) -> None:
        """Once by hand, for what is done at first use only, and once to be captured."""
        self._enqueue(slot)
        self._cuda.synchronize(slot.stream)
        slot.graph = self._captured(slot, self._enqueue)
        slot.warm = True

    def _captured(self, slot: _Slot, work: Callable[[_Slot], None]) -> Any:
        """The work as a graph; None where TensorRT-RTX captures by itself, or nobody can."""
        cuda = self._cuda
        if not cuda.graphs or self._config is not None:
            return None
        cuda.begin(slot.stream)
        work(slot)
        return cuda.end(slot.stream)

    def _keep_caches(self) -> None:
        """Keep the kernels compiled for this GPU; on a read-only disk each start compiles."""
        for file, cache in self._compiled.items():
            draft = file.with_name(f".{file.name}.part")
            with suppress(OSError):
                draft.write_bytes(bytes(cache.serialize()))
                os.replace(draft, file)
            with suppress(OSError):
                draft.unlink(missing_ok=True)
        self._compiled = {}

    def _copy_in(self, slot: _Slot, name: str) -> None:
        if not self._cuda.integrated:
            self._cuda.copy_in(slot.device[name], slot.pinned[name], slot.stream)

    def _execute(self, context: Any, slot: _Slot) -> None:
        if not context.execute_async_v3(self._cuda.handle(slot.stream)):
            why = "; ".join(self._log.said) or "it gave no reason"
            hint = FREE_MEMORY if is_out_of_memory(why) else ""
            raise EdgeError(f"TensorRT cannot run {self._manifest.name}: {why}", hint)

    def _enqueue(self, slot: _Slot) -> None:
        """All of a frame's work, in order."""
        self._copy_in(slot, "fg_bg")
        self._compute(slot)
        self._copy_out(slot)

    def _compute(self, slot: _Slot) -> None:
        if self._unfolded:
            self._execute(slot.background, slot)
        self._execute(slot.frame, slot)

    def _copy_out(self, slot: _Slot) -> None:
        if not self._cuda.integrated:
            for tensor in self._manifest.outputs:
                memory, address = slot.pinned[tensor.name], slot.device[tensor.name]
                self._cuda.copy_out(memory, address, slot.stream)

    def stages(self, count: int) -> dict[str, list[float]]:
        """See edge.runtime.backend.Staged. The computing is launched as a frame's is: captured."""
        cuda, slot = self._cuda, self._slots[0]
        with cuda.active():
            graph = self._captured(slot, self._compute)
            pieces: dict[str, Callable[[], None]] = {
                "h2d": lambda: self._copy_in(slot, "fg_bg"),
                "gpu_compute": lambda: (
                    self._compute(slot) if graph is None else cuda.launch(graph, slot.stream)
                ),
                "d2h": lambda: self._copy_out(slot),
            }
            if cuda.integrated:
                pieces = {"gpu_compute": pieces["gpu_compute"]}
            marks = [cuda.mark() for _ in range(len(pieces) + 1)]
            taken: dict[str, list[float]] = {stage: [] for stage in pieces}
            for _ in range(count):
                cuda.record(marks[0], slot.stream)
                for piece, mark in zip(pieces.values(), marks[1:], strict=True):
                    piece()
                    cuda.record(mark, slot.stream)
                cuda.synchronize(slot.stream)
                for times, pair in zip(taken.values(), pairwise(marks), strict=True):
                    times.append(cuda.elapsed(*pair))
            for mark in marks:
                cuda.free_event(mark)
            if graph is not None:
                cuda.free_graph(graph)
        return taken

    def run(self, slot: int) -> None:
        self.start(slot)
        self.finish(slot)

    def start(self, slot: int) -> None:
        used = self._slots[slot]
        with self._cuda.active():
            if used.graph is not None:
                self._cuda.launch(used.graph, used.stream)
            else:
                self._enqueue(used)
            self._cuda.record(used.done, used.stream)

    def finish(self, slot: int) -> None:
        with self._cuda.active():
            self._cuda.wait(self._slots[slot].done)

    def close(self) -> None:
        with self._cuda.active():
            for slot in self._slots:
                self._free(slot)
            self._frame = self._background = self._runtime = None
            self._config = self._background_config = None
        self._slots, self.frames, self.outputs = [], [], []

    def _free(self, slot: _Slot) -> None:
        cuda = self._cuda
        cuda.synchronize(slot.stream)
        if slot.graph is not None:
            cuda.free_graph(slot.graph)
        slot.frame = slot.background = None
        for address in slot.owned:
            cuda.free_device(address)
        cuda.free_event(slot.done)
        cuda.free_stream(slot.stream)
