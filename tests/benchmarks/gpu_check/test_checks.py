"""Each check passes on the simulated GPU, and fails where what it checks is broken.

cuda.bindings.runtime is a stand-in whose streams work late; the driver layer over it, the backend
and the checks are the real ones.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

import edge.runtime.backends.tensorrt as backend
from edge.benchmarks.gpu_check.arrays import Torch
from edge.benchmarks.gpu_check.check import FAILED, OK, SKIPPED, Result, Skipped, run
from edge.benchmarks.gpu_check.counted import Counted
from edge.benchmarks.gpu_check.driver import check_copies, check_events, check_graphs
from edge.benchmarks.gpu_check.runtime import (
    StandInBench,
    check_frames,
    check_outputs,
    check_stages,
    check_threads,
)
from edge.benchmarks.gpu_check.scenes import Scene, rendered_samples, scenes_of
from edge.benchmarks.gpu_check.stand_in import build_stand_in
from edge.bundled import bundled
from edge.graph.resize import resize_network

from .simulated import HostArrays, cuda_runtime

cuda_python = pytest.importorskip("edge.runtime.cuda_python", reason="no cuda-bindings")
DRIVER = {"copies": check_copies, "events": check_events, "graphs": check_graphs}
BACKEND = {
    "outputs": check_outputs,
    "threads": check_threads,
    "frames": check_frames,
    "stages": check_stages,
}


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    runtime = cuda_runtime()
    monkeypatch.setattr(cuda_python, "runtime", runtime)
    return runtime


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Scene]]:
    place = tmp_path_factory.mktemp("gpu-check") / "stand-in"
    build_stand_in(resize_network(onnx.load(bundled("nano")), 32, 32), "nano", place)
    return place, scenes_of(place, rendered_samples(8, (32, 32)))


@pytest.fixture
def check(gpu: ModuleType, build: tuple[Path, list[Scene]]) -> Callable[[str], Result]:
    def make(name: str) -> Result:
        counted = Counted(cuda_python.Driver())
        if name in DRIVER:
            return run(name, lambda: DRIVER[name](counted))
        bench = StandInBench(counted, HostArrays(gpu), *build, frames=120)
        return run(name, lambda: BACKEND[name](bench))

    return make


@pytest.mark.parametrize("name", [*DRIVER, *BACKEND])
def test_it_passes(name: str, check: Callable[[str], Result]) -> None:
    result = check(name)
    assert result.status == OK, result.text
    assert "\n" not in result.text


@pytest.mark.parametrize("name", [*DRIVER, *BACKEND])
def test_it_passes_where_the_gpu_shares_the_hosts_memory(
    name: str, gpu: ModuleType, check: Callable[[str], Result]
) -> None:
    gpu.DEVICE[gpu.cudaDeviceAttr.cudaDevAttrIntegrated] = 1
    result = check(name)
    assert result.status == OK, result.text
    if name == "stages":
        assert list(result.values) == ["gpu_compute"]


def test_torch_computes_the_stand_in_too(gpu: ModuleType, build: tuple[Path, list[Scene]]) -> None:
    """On the host's memory: all but torch's own streams."""
    torch = pytest.importorskip("torch")

    class OnHost(Torch):
        host = HostArrays(gpu)

        def view(self, address: int, shape: tuple[int, ...], dtype: str) -> Any:
            return torch.from_numpy(self.host.view(address, shape, dtype))

        def ready(self) -> None:
            pass

        def on(self, stream: int, work: Callable[[], None]) -> None:
            self.host.on(stream, torch.inference_mode()(work))

        def capturing(self, stream: int) -> bool:
            return False

    bench = StandInBench(Counted(cuda_python.Driver()), OnHost("cpu"), *build, frames=40)
    for name in ("outputs", "frames"):
        result = run(name, lambda name=name: BACKEND[name](bench))  # type: ignore[misc]
        assert result.status == OK, result.text


Patch = Callable[[ModuleType, pytest.MonkeyPatch], None]


def wrong_pointer(gpu: ModuleType, patch: pytest.MonkeyPatch) -> None:
    """The second buffer of a size is the first one."""
    given: dict[int, Any] = {}
    real = gpu.cudaMalloc

    def same(size: int) -> Any:
        if size not in given:
            given[size] = real(size)
        return given[size]

    patch.setattr(gpu, "cudaMalloc", same)
    patch.setattr(gpu, "cudaFree", lambda address: (gpu.OK,))


def foreign_pointer(gpu: ModuleType, patch: pytest.MonkeyPatch) -> None:
    real = gpu.cudaMalloc
    patch.setattr(gpu, "cudaMalloc", lambda size: (gpu.OK, real(size)[1] + 8))


def short_copies(gpu: ModuleType, patch: pytest.MonkeyPatch) -> None:
    """Copies out of the GPU are cut short by a byte."""
    real = gpu.cudaMemcpyAsync

    def short(to: int, source: int, size: int, kind: int, stream: int) -> Any:
        out = kind == gpu.cudaMemcpyKind.cudaMemcpyDeviceToHost
        return real(to, source, size - out, kind, stream)

    patch.setattr(gpu, "cudaMemcpyAsync", short)


def event_does_not_wait(gpu: ModuleType, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gpu, "cudaEventSynchronize", lambda event: (gpu.OK,))


def stream_does_not_wait(gpu: ModuleType, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gpu, "cudaStreamSynchronize", lambda stream: (gpu.OK,))


def event_forgets_the_last(gpu: ModuleType, patch: pytest.MonkeyPatch) -> None:
    """An event that is reached before the last work that it was recorded behind."""
    real = gpu.cudaEventSynchronize

    def early(event: Any) -> Any:
        event.until -= 3
        return real(event)

    patch.setattr(gpu, "cudaEventSynchronize", early)


def clock_stands_still(gpu: ModuleType, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gpu, "cudaEventElapsedTime", lambda first, second: (gpu.OK, 0.0))


def clock_runs_fast(gpu: ModuleType, patch: pytest.MonkeyPatch) -> None:
    real = gpu.cudaEventElapsedTime
    patch.setattr(gpu, "cudaEventElapsedTime", lambda a, b: (gpu.OK, 1000 * real(a, b)[1] + 1))


def capture_runs_the_work(gpu: ModuleType, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gpu, "cudaStreamEndCapture", lambda stream: _ended(gpu, stream))


def _ended(gpu: ModuleType, stream: int) -> Any:
    used = gpu._streams[int(stream)]
    work, used.captured = used.captured, None
    for piece in work:
        piece()
    return gpu.OK, work


def graph_keeps_old_data(gpu: ModuleType, patch: pytest.MonkeyPatch) -> None:
    """A graph whose second launch does nothing."""
    launched: set[int] = set()

    def once(graph: Any, stream: int) -> Any:
        if id(graph) not in launched:
            launched.add(id(graph))
            for work in graph:
                gpu._do(stream, work)
        return (gpu.OK,)

    patch.setattr(gpu, "cudaGraphLaunch", once)


def launch_leaks(gpu: ModuleType, patch: pytest.MonkeyPatch) -> None:
    """Each launch takes memory of the GPU for ever."""
    real = gpu.cudaGraphLaunch

    def leak(graph: Any, stream: int) -> Any:
        gpu._allocate(100_000)
        return real(graph, stream)

    patch.setattr(gpu, "cudaGraphLaunch", leak)


def host_leaks(gpu: ModuleType, patch: pytest.MonkeyPatch) -> None:
    kept: list[np.ndarray] = []
    real = gpu.cudaGraphLaunch

    def leak(graph: Any, stream: int) -> Any:
        kept.append(np.ones(3_000_000, np.uint8))
        return real(graph, stream)

    patch.setattr(gpu, "cudaGraphLaunch", leak)


def frames_allocate(gpu: ModuleType, patch: pytest.MonkeyPatch) -> None:
    """The backend takes a buffer in each frame, and gives it back."""
    real = backend.TensorRt.start

    def start(self: Any, slot: int) -> None:
        self._cuda.free_device(self._cuda.device(8))
        real(self, slot)

    patch.setattr(backend.TensorRt, "start", start)


def closing_forgets_a_buffer(gpu: ModuleType, patch: pytest.MonkeyPatch) -> None:
    real = backend.TensorRt._free

    def free(self: Any, slot: Any) -> None:
        slot.owned.pop() if slot.owned else None
        slot.graph = None
        real(self, slot)

    patch.setattr(backend.TensorRt, "_free", free)


def shifted_output(gpu: ModuleType, patch: pytest.MonkeyPatch) -> None:
    """The engine writes its results a pixel further on."""
    real = HostArrays.view

    def view(self: HostArrays, address: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        return real(self, address + (4 if shape[1:] == (1, 32, 32) else 0), shape, dtype)

    patch.setattr(HostArrays, "view", view)
    real_allocate = gpu._allocate
    patch.setattr(gpu, "_allocate", lambda size: real_allocate(size + 8))


def finish_does_not_wait(gpu: ModuleType, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(backend.TensorRt, "finish", lambda self, slot: None)


def another_slots_buffer(gpu: ModuleType, patch: pytest.MonkeyPatch) -> None:
    """Both slots of a build compute into the same buffers."""
    real = backend.TensorRt._fill

    def fill(self: Any, slot: Any, bg: Any) -> None:
        real(self, slot, bg)
        first = self._slots[0]
        for context, mine in ((first.frame, slot.frame), (first.background, slot.background)):
            mine._addresses = context._addresses

    patch.setattr(backend.TensorRt, "_fill", fill)


def no_graphs_captured(gpu: ModuleType, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(backend.TensorRt, "_captured", lambda self, slot, work: None)


FAULTS: list[tuple[str, Patch, str]] = [
    ("copies", wrong_pointer, "are not those that were sent"),
    ("copies", foreign_pointer, "cudaErrorInvalidValue"),
    ("copies", short_copies, "are not those that were sent"),
    ("copies", stream_does_not_wait, "are not those that were sent"),
    ("events", event_does_not_wait, "after waiting for an event"),
    ("events", event_forgets_the_last, "after waiting for an event"),
    ("events", clock_stands_still, "expected more than 0"),
    ("graphs", capture_runs_the_work, "work ran while it was captured"),
    ("graphs", graph_keeps_old_data, "a launched graph"),
    ("outputs", wrong_pointer, "differs from the CPU"),
    ("outputs", shifted_output, "differs from the CPU"),
    ("outputs", event_does_not_wait, "differs from the CPU"),
    ("outputs", finish_does_not_wait, "differs from the CPU"),
    ("outputs", another_slots_buffer, "differs from the CPU"),
    ("outputs", graph_keeps_old_data, "differs from the CPU"),
    ("outputs", no_graphs_captured, "0 graphs were captured, expected one for each of 2 slots"),
    ("outputs", closing_forgets_a_buffer, "not given back: .* device, .* graph"),
    ("threads", finish_does_not_wait, "differs from the CPU"),
    ("threads", closing_forgets_a_buffer, "not given back"),
    ("frames", launch_leaks, "the GPU's memory grew by"),
    ("frames", host_leaks, "the host's memory grew by"),
    ("frames", frames_allocate, "frames allocated 120 device"),
    ("frames", closing_forgets_a_buffer, "not given back"),
    ("frames", shifted_output, "differs from the CPU"),
    ("stages", clock_stands_still, "went backwards or stood still"),
    ("stages", clock_runs_fast, "by the GPU's clock, but"),
]


@pytest.mark.parametrize(
    ("name", "fault", "words"), FAULTS, ids=[f"{n}-{f.__name__}" for n, f, _ in FAULTS]
)
def test_it_fails_where_that_is_broken(
    name: str,
    fault: Patch,
    words: str,
    gpu: ModuleType,
    check: Callable[[str], Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fault(gpu, monkeypatch)
    result = check(name)
    assert result.status == FAILED, result.text
    assert re.search(words, result.text), result.text


def test_a_reason_to_skip_and_an_error_of_any_kind_are_results() -> None:
    def skip() -> Any:
        raise Skipped("nothing there")

    def crash() -> Any:
        raise ctypes.ArgumentError("two\nlines")

    assert (run("a", skip).status, run("a", skip).text) == (SKIPPED, "nothing there")
    assert (run("b", crash).status, run("b", crash).text) == (FAILED, "ArgumentError: two lines")
