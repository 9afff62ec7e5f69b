"""OpenVINO on the CPU: the cameras of a build share compiled graphs, each has its own tensors."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.manifest import Manifest
from edge.runtime.backend import SLOTS, OpenOptions, check_instructions, check_not_older, zeros
from edge.runtime.cores import usable_cores
from edge.runtime.shared import shared

# Importing OpenVINO forks processes that report to its maker's servers, and a fork beside the
# threads of BLAS can hang the program for good. Without its reporter module OpenVINO reports
# nothing. All other modules import `ov` from here.
_absent = sys.modules.setdefault("openvino_telemetry", None) is None  # type: ignore[arg-type]
import openvino as ov  # noqa: E402

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


class Graph:
    """A compiled frame graph, which computes one frame at a time. users: frames under way."""

    def __init__(self, model: ov.CompiledModel) -> None:
        self.model, self.users = model, 0
        model.create_infer_request().infer(share_outputs=True)  # the first frame takes longer


class Graphs:
    """The compiled graphs of a build, shared by its handles.

    Frames of different threads run at the same time, so there is a frame graph for every `threads`
    cores, but not more of them than handles were opened.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._frames: list[Graph] = []
        self._background: ov.InferRequest | None = None
        self._lock, self._background_lock = threading.Lock(), threading.Lock()

    def add_handle(self, folder: Path, manifest: Manifest) -> None:
        """Compile what one more handle needs."""
        with self._background_lock:
            if manifest.scene and self._background is None:
                model = core().read_model(folder / manifest.background)
                ready = compiled(model, self._threads, "f32")
                self._background = ready.create_infer_request()
            if len(self._frames) < max(1, usable_cores() // self._threads):
                model = core().read_model(folder / manifest.engine)
                precision = manifest.options["inference_precision"]
                self._frames.append(Graph(compiled(model, self._threads, precision)))

    def take(self) -> Graph:
        """The frame graph with the fewest users, for one more; the first one stays in the caches
        while one thread runs all frames."""
        with self._lock:
            graph = min(self._frames, key=lambda each: each.users)
            graph.users += 1
            return graph

    def give_back(self, graph: Graph) -> None:
        with self._lock:
            graph.users -= 1

    def run_background(self, tensors: dict[str, ov.Tensor]) -> None:
        """Compute a handle's scene tensors from its images; all are its own memory."""
        with self._background_lock:
            assert self._background is not None
            for name, tensor in tensors.items():
                self._background.set_tensor(name, tensor)
            self._background.infer(share_outputs=True)


class OpenVino:
    """The backend of `openvino` builds."""

    def __init__(self, folder: Path, manifest: Manifest, options: OpenOptions) -> None:
        self._graphs: Graphs | None = shared(
            manifest, options.threads, lambda: Graphs(options.threads)
        )
        self._graphs.add_handle(folder, manifest)
        self._unfolded = bool(manifest.scene) and not options.fold
        self._images = zeros(manifest.scene_inputs)
        blocks = [np.zeros((1, *manifest.imgsz, 3), np.uint8) for _ in range(SLOTS)]
        self.frames = [block[0] for block in blocks]
        results = [zeros(manifest.outputs) for _ in range(SLOTS)]
        self.outputs = [{name: a[0, 0] for name, a in result.items()} for result in results]
        self._scene = _tensors(zeros(manifest.scene))
        images = _tensors(self._images)
        self._background = {t.name: images[t.name] for t in manifest.background_inputs}
        self._background |= self._scene
        fixed = {t.name: images[t.name] for t in manifest.inputs if t.name in images}
        fixed |= self._scene
        self._tensors = [
            fixed | _tensors({"fg_bg": block} | result)
            for block, result in zip(blocks, results, strict=True)
        ]
        self._requests: dict[tuple[Graph, int], ov.InferRequest] = {}
        self._under_way: dict[int, Graph] = {}

    def set_background(self, images: Mapping[str, npt.NDArray[np.uint8]]) -> None:
        for name, image in self._images.items():
            np.copyto(image[0], images[name])
        self._run_background()

    def scene_tensor(self, name: str) -> npt.NDArray[Any]:
        return np.array(self._scene[name].data)

    def _run_background(self) -> None:
        if self._scene and self._graphs is not None:
            self._graphs.run_background(self._background)

    def _begin(self, slot: int) -> ov.InferRequest:
        """A request for the slot, in a frame graph that `_end` gives back. It was bound once: the
        buffers never move."""
        assert self._graphs is not None
        if self._unfolded:
            self._run_background()
        graph = self._under_way[slot] = self._graphs.take()
        request = self._requests.get((graph, slot))
        if request is None:
            request = self._requests[graph, slot] = graph.model.create_infer_request()
            for name, tensor in self._tensors[slot].items():
                request.set_tensor(name, tensor)
        return request

    def _end(self, slot: int) -> None:
        assert self._graphs is not None
        self._graphs.give_back(self._under_way.pop(slot))

    def run(self, slot: int) -> None:
        request = self._begin(slot)
        try:
            # Results that are not shared would be copied, for nobody.
            request.infer(share_outputs=True)
        finally:
            self._end(slot)

    def start(self, slot: int) -> None:
        request = self._begin(slot)
        try:
            request.start_async()
        except BaseException:
            self._end(slot)
            raise

    def finish(self, slot: int) -> None:
        if slot in self._under_way:
            try:
                self._requests[self._under_way[slot], slot].wait()
            finally:
                self._end(slot)

    def close(self) -> None:
        self._requests, self._graphs = {}, None


def _tensors(arrays: dict[str, npt.NDArray[Any]]) -> dict[str, ov.Tensor]:
    return {name: ov.Tensor(array, shared_memory=True) for name, array in arrays.items()}
