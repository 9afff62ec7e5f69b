"""ONNX Runtime on the CPU: IO binding over fixed buffers, scene constants compiled in."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.manifest import Manifest
from edge.runtime.backend import SLOTS, OpenOptions, check_instructions, check_not_older
from edge.runtime.constants import with_constants
from edge.runtime.ort import ort


def open_backend(folder: Path, manifest: Manifest, options: OpenOptions) -> OnnxRuntime:
    check_instructions(folder, manifest)
    check_not_older(folder, manifest, ort.__version__)
    return OnnxRuntime(folder, manifest, options)


def session(model: bytes, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class OnnxRuntime:
    """The backend of `onnxruntime` builds."""

    def __init__(self, folder: Path, manifest: Manifest, options: OpenOptions) -> None:
        threads = options.threads
        self._threads, self._fold = threads, options.fold
        self._model = (folder / manifest.engine).read_bytes()
        self._scene = [tensor.name for tensor in manifest.scene]
        self._background = (
            session((folder / manifest.background).read_bytes(), threads) if self._scene else None
        )
        self._takes_bg = any(tensor.name == "bg" for tensor in manifest.inputs)
        self._bg = np.zeros((1, *manifest.imgsz, 3), np.uint8)
        blocks = [np.zeros_like(self._bg) for _ in range(SLOTS)]
        self.frames = [block[0] for block in blocks]
        self._inputs = [ort.OrtValue.ortvalue_from_numpy(block) for block in blocks]
        results = [
            {t.name: np.zeros(t.shape, t.dtype) for t in manifest.outputs} for _ in range(SLOTS)
        ]
        self.outputs = [{name: a[0, 0] for name, a in result.items()} for result in results]
        self._results = [
            {name: ort.OrtValue.ortvalue_from_numpy(a) for name, a in result.items()}
            for result in results
        ]
        self._session: ort.InferenceSession | None = None
        self._bindings: list[ort.IOBinding] = []
        self._worker = ThreadPoolExecutor(1, "edge-onnxruntime")
        self._pending: list[Future[None] | None] = [None] * SLOTS
        self._keep = (blocks, results)

    def set_background(self, bg: npt.NDArray[np.uint8]) -> None:
        np.copyto(self._bg[0], bg)
        if self._fold and self._background is not None:
            values = self._background.run(self._scene, {"bg": self._bg})
            model = with_constants(self._model, dict(zip(self._scene, values, strict=True)))
            self._bind(session(model, self._threads))
        elif self._session is None:
            self._bind(session(self._model, self._threads))

    def _bind(self, ready: ort.InferenceSession) -> None:
        """Bind every input and output once; the buffers never move."""
        bindings = []
        for slot in range(SLOTS):
            binding = ready.io_binding()
            binding.bind_ortvalue_input("fg_bg", self._inputs[slot])
            if self._takes_bg:
                binding.bind_cpu_input("bg", self._bg)
            for name, value in self._results[slot].items():
                binding.bind_ortvalue_output(name, value)
            bindings.append(binding)
        self._session, self._bindings = ready, bindings

    def run(self, slot: int) -> None:
        assert self._session is not None
        binding = self._bindings[slot]
        if not self._fold and self._background is not None:
            values = self._background.run(self._scene, {"bg": self._bg})
            for name, value in zip(self._scene, values, strict=True):
                binding.bind_cpu_input(name, value)
        self._session.run_with_iobinding(binding)

    def start(self, slot: int) -> None:
        self._pending[slot] = self._worker.submit(self.run, slot)

    def finish(self, slot: int) -> None:
        pending = self._pending[slot]
        if pending is not None:
            self._pending[slot] = None
            pending.result()

    def close(self) -> None:
        self._worker.shutdown()
        self._bindings, self._session, self._background = [], None, None
