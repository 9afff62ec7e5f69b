"""ONNX Runtime on the CPU: sessions that the cameras of a build share, IO binding over fixed
buffers."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.manifest import Manifest
from edge.runtime.backend import SLOTS, OpenOptions, check_instructions, check_not_older, zeros
from edge.runtime.ort import ort
from edge.runtime.shared import shared


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


class Sessions:
    """The sessions of a build, shared by its handles: any number of threads may run one."""

    def __init__(self, folder: Path, manifest: Manifest, threads: int) -> None:
        def opened(name: str) -> ort.InferenceSession:
            return session((folder / name).read_bytes(), threads)

        self.frame = opened(manifest.engine)
        self.background = opened(manifest.background) if manifest.scene else None


class OnnxRuntime:
    """The backend of `onnxruntime` builds."""

    def __init__(self, folder: Path, manifest: Manifest, options: OpenOptions) -> None:
        threads = options.threads
        self._sessions: Sessions | None = shared(
            manifest, threads, lambda: Sessions(folder, manifest, threads)
        )
        self._images = images = zeros(manifest.scene_inputs)
        blocks = [np.zeros((1, *manifest.imgsz, 3), np.uint8) for _ in range(SLOTS)]
        self.frames = [block[0] for block in blocks]
        results = [zeros(manifest.outputs) for _ in range(SLOTS)]
        self.outputs = [{name: a[0, 0] for name, a in result.items()} for result in results]
        self._scene = scene = zeros(manifest.scene)
        fixed = scene | {t.name: images[t.name] for t in manifest.inputs if t.name in images}
        frame, background = self._sessions.frame, self._sessions.background
        self._bindings = [
            _bound(frame, {"fg_bg": block} | fixed, result)
            for block, result in zip(blocks, results, strict=True)
        ]
        read = {tensor.name: images[tensor.name] for tensor in manifest.background_inputs}
        self._background = None if background is None else _bound(background, read, scene)
        self._unfolded = not options.fold
        self._worker = ThreadPoolExecutor(1, "edge-onnxruntime")
        self._pending: list[Future[None] | None] = [None] * SLOTS
        self._keep = (blocks, results)

    def set_background(self, images: Mapping[str, npt.NDArray[np.uint8]]) -> None:
        for name, image in self._images.items():
            np.copyto(image[0], images[name])
        self._run_background()

    def scene_tensor(self, name: str) -> npt.NDArray[Any]:
        return np.array(self._scene[name])

    def _run_background(self) -> None:
        if self._background is not None and self._sessions is not None:
            assert self._sessions.background is not None
            self._sessions.background.run_with_iobinding(self._background)

    def run(self, slot: int) -> None:
        assert self._sessions is not None
        if self._unfolded:
            self._run_background()
        self._sessions.frame.run_with_iobinding(self._bindings[slot])

    def start(self, slot: int) -> None:
        self._pending[slot] = self._worker.submit(self.run, slot)

    def finish(self, slot: int) -> None:
        pending = self._pending[slot]
        if pending is not None:
            self._pending[slot] = None
            pending.result()

    def close(self) -> None:
        self._worker.shutdown()
        self._bindings, self._background, self._sessions = [], None, None


def _bound(
    ready: ort.InferenceSession,
    inputs: dict[str, npt.NDArray[Any]],
    outputs: dict[str, npt.NDArray[Any]],
) -> ort.IOBinding:
    """Bind every input and output once; the buffers never move."""
    binding = ready.io_binding()
    for name, array in inputs.items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array))
    for name, array in outputs.items():
        binding.bind_ortvalue_output(name, ort.OrtValue.ortvalue_from_numpy(array))
    return binding
