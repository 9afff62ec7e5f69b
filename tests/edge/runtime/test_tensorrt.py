"""The TensorRT backend on a fake GPU that does everything late: order, lifetimes, one capture."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import edge
from edge import signature
from edge.builder.plan import Plan
from edge.builder.write import write_build
from edge.errors import BuildMismatch, EdgeError
from edge.manifest import sha256
from edge.runtime import cuda as drivers
from edge.runtime.backend import SLOTS, Staged
from edge.runtime.backends import tensorrt
from edge.runtime.handle import Outputs
from edge.samples.sample import Sample
from tests.images import taken

from .fake_gpu import FakeCuda, FakeTrt

GPUS = {
    "tensorrt": ("tensorrt", FakeCuda),
    "pycuda, without graphs": ("tensorrt", lambda: FakeCuda(graphs=False)),
    "a Jetson, without copies": ("tensorrt", lambda: FakeCuda(integrated=True)),
    "tensorrt-rtx": ("tensorrt-rtx", FakeCuda),
}


class Bench:
    """A build for a GPU, made of ONNX files in place of plans, and what it runs on."""

    def __init__(self, folder: Path, cuda: FakeCuda, trt: FakeTrt) -> None:
        self.folder, self.cuda, self.trt = folder, cuda, trt

    def expected(self, bg: np.ndarray, frame: np.ndarray) -> list[np.ndarray]:
        """Mask and depth of the build's own graphs, by ONNX Runtime without its optimiser."""
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = 1
        first, second = (
            onnxruntime.InferenceSession(str(self.folder / name), options)
            for name in ("background.onnx", "frame.onnx")
        )
        names = [value.name for value in first.get_outputs()]
        scene = dict(zip(names, first.run(names, taken(first, bg, bg)), strict=True))
        found = second.run(["mask", "depth"], {"fg_bg": frame[None], **scene})
        return [np.asarray(output)[0, 0] for output in found]


@pytest.fixture
def gpu(
    plan: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Bench]:
    def make(name: str, version: str = "11.4.0") -> Bench:
        target, driver = GPUS[name]
        cuda = driver()
        trt = FakeTrt(cuda, version)
        monkeypatch.setattr("edge.targets.target.Target.installed", lambda target: True)
        monkeypatch.setattr("edge.targets.plans.load", lambda module: trt)
        monkeypatch.setattr("edge.targets.tensorrt_rtx.count_layers", lambda plan: (None, None))
        monkeypatch.setattr(
            "edge.targets.plans.build_plan", lambda graph, module, sms, timings: graph.read_bytes()
        )
        monkeypatch.setattr(tensorrt, "load", lambda module: trt)
        monkeypatch.setattr(drivers, "driver", lambda name="auto": cuda)
        place = tmp_path / target
        sms = (86,) if target == "tensorrt-rtx" else ()
        write_build(plan(target, "int8", sm=sms), place)
        return Bench(place, cuda, trt)

    return make


@pytest.mark.parametrize("fold", [True, False], ids=["folded", "unfolded"])
@pytest.mark.parametrize("name", GPUS)
def test_the_answers_are_those_of_the_graphs(
    name: str, fold: bool, gpu: Callable[[str], Bench], samples: list[Sample]
) -> None:
    bench = gpu(name)
    with edge.open(bench.folder, fold=fold) as h:
        for scene in (0, 4):
            edge.set_background(h, samples[scene].bg)
            for sample in samples[scene : scene + 3]:
                true = bench.expected(samples[scene].bg, sample.fg_bg)
                for found in (
                    edge.infer(h, sample.fg_bg),
                    edge.wait(h, edge.submit(h, sample.fg_bg)),
                ):
                    for a, b in zip(found, true, strict=True):
                        assert np.array_equal(a, b)


@pytest.mark.parametrize("fold", [True, False], ids=["folded", "unfolded"])
@pytest.mark.parametrize("name", GPUS)
def test_the_depth_of_the_scene_comes_back_from_the_gpu(
    name: str, fold: bool, gpu: Callable[[str], Bench], samples: list[Sample]
) -> None:
    bench = gpu(name)
    session = onnxruntime.InferenceSession(str(bench.folder / "background.onnx"))
    with edge.open(bench.folder, fold=fold) as h:
        for sample in (samples[0], samples[4]):
            edge.set_background(h, sample.bg)
            ticket = edge.submit(h, sample.fg_bg)
            found = edge.scene_depth(h)
            edge.wait(h, ticket)
            (true,) = session.run(["scene_depth"], taken(session, sample.bg, sample.bg))
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, np.reshape(true, found.shape), atol=1e-5)


@pytest.mark.parametrize("name", GPUS)
def test_two_frames_under_way_do_not_mix(
    name: str, gpu: Callable[[str], Bench], samples: list[Sample]
) -> None:
    bench = gpu(name)
    frames = [sample.fg_bg for sample in samples]
    with edge.open(bench.folder) as h:
        edge.set_background(h, samples[0].bg)
        tickets = [edge.submit(h, frames[0])]
        for number in range(1, 7):
            tickets.append(edge.submit(h, frames[number]))
            mask, _ = edge.wait(h, tickets[number - 1])
            true, _ = bench.expected(samples[0].bg, frames[number - 1])
            assert np.array_equal(mask, true)
        edge.wait(h, tickets[-1])


@pytest.mark.parametrize("name", GPUS)
def test_after_warming_up_nothing_is_allocated_moved_or_captured(
    name: str, gpu: Callable[[str], Bench], samples: list[Sample]
) -> None:
    bench = gpu(name)
    cuda = bench.cuda
    with edge.open(bench.folder) as h:
        edge.set_background(h, samples[0].bg)
        own = cuda.graphs and not name.endswith("rtx")
        assert cuda.made.count("graph") == (SLOTS if own else 0)
        made, contexts = list(cuda.made), len(bench.trt._contexts)
        where = [p.ctypes.data for planes in h.backend.outputs for p in planes.values()]
        cuda.done.clear()
        for number in range(40):
            edge.infer(h, samples[number % 4].fg_bg)
        assert cuda.done == (["run"] if cuda.integrated else ["in", "run", "out", "out"]) * 40
        edge.set_background(h, samples[4].bg)
        assert cuda.made == made
        assert len(bench.trt._contexts) == contexts
        assert where == [p.ctypes.data for planes in h.backend.outputs for p in planes.values()]


@pytest.mark.parametrize("name", GPUS)
def test_the_stages_of_a_frame_are_timed_where_they_are_done(
    name: str, gpu: Callable[[str], Bench], samples: list[Sample]
) -> None:
    """The fake's clock ticks once for each copy and each run: two outputs, two ticks."""
    bench = gpu(name)
    with edge.open(bench.folder, fold=False) as h:
        edge.set_background(h, samples[0].bg)
        mask, _ = edge.infer(h, samples[1].fg_bg)
        assert isinstance(h.backend, Staged)
        before = np.array(mask)
        kept = list(bench.cuda.live_graphs)
        taken = h.backend.stages(3)
        expected = {"h2d": [1.0] * 3, "gpu_compute": [2.0] * 3, "d2h": [2.0] * 3}
        if bench.cuda.integrated:
            expected = {"gpu_compute": [2.0] * 3}
        assert taken == expected
        assert list(taken) == list(expected)
        assert bench.cuda.live_graphs == kept
        assert np.array_equal(mask, before)


@pytest.mark.parametrize("name", GPUS)
def test_closing_gives_everything_back_and_answers_outlive_it(
    name: str, gpu: Callable[[str], Bench], samples: list[Sample]
) -> None:
    bench = gpu(name)
    h = edge.open(bench.folder)
    edge.set_background(h, samples[0].bg)
    mask, _ = edge.infer(h, samples[1].fg_bg)
    assert mask is not None
    before = mask.copy()
    edge.submit(h, samples[2].fg_bg)
    edge.close(h)
    edge.close(h)
    assert (bench.cuda.blocks, bench.cuda.streams, bench.cuda.live_graphs) == ({}, {}, [])
    assert np.array_equal(mask, before)


def test_two_threads_with_two_handles(gpu: Callable[[str], Bench], samples: list[Sample]) -> None:
    bench = gpu("tensorrt")
    failed: list[object] = []

    def work(scene: int) -> None:
        with edge.open(bench.folder) as h:
            edge.set_background(h, samples[scene].bg)
            for number in range(25):
                frame = samples[scene + number % 4].fg_bg
                mask, _ = edge.infer(h, frame)
                if number % 6 == 0:
                    true = bench.expected(samples[scene].bg, frame)[0]
                    failed.extend([] if np.array_equal(mask, true) else [number])

    threads = [threading.Thread(target=work, args=(scene,)) for scene in (0, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert {thread.ident for thread in threads} <= bench.cuda.threads


def test_what_rtx_compiled_is_kept_beside_the_plans(
    gpu: Callable[[str], Bench], samples: list[Sample]
) -> None:
    bench = gpu("tensorrt-rtx")
    caches = [bench.folder / f"{name}.cache" for name in ("frame", "background")]
    caches[0].write_bytes(b"of another GPU")
    for _ in range(2):
        with edge.open(bench.folder) as h:
            edge.set_background(h, samples[0].bg)
    assert [file.read_bytes() for file in caches] == [b"compiled kernels"] * 2
    assert bench.trt._cache_given == [b"of another GPU", *[b"compiled kernels"] * 2]
    assert {config.cuda_graph_strategy for config in bench.trt._contexts} == {"whole"}


@pytest.mark.parametrize("spoil", [lambda f: f.write_bytes(b""), lambda f: f.mkdir()])
def test_kept_kernels_that_cannot_be_read_are_compiled_anew(
    spoil: Callable[[Path], object], gpu: Callable[[str], Bench], samples: list[Sample]
) -> None:
    bench = gpu("tensorrt-rtx")
    spoil(bench.folder / "frame.cache")
    with edge.open(bench.folder) as h:
        edge.set_background(h, samples[0].bg)
        assert edge.infer(h, samples[1].fg_bg)[0] is not None
    assert bench.trt._cache_given == []
    assert len(list(bench.folder.glob(".*"))) == 0


def test_kept_kernels_are_not_run_where_builds_must_be_signed(
    gpu: Callable[[str], Bench], samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are code beside the build, and its signature does not cover them."""
    bench = gpu("tensorrt-rtx")
    monkeypatch.setenv(signature.TRUST, "key.pub")
    monkeypatch.setenv(signature.MADE, sha256(bench.folder / "manifest.json"))
    (bench.folder / "frame.cache").write_bytes(b"compiled by somebody")
    with edge.open(bench.folder) as h:
        edge.set_background(h, samples[0].bg)
    assert bench.trt._cache_given == []


def test_a_disk_that_cannot_be_written_only_costs_time(
    gpu: Callable[[str], Bench], samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = gpu("tensorrt-rtx")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    with edge.open(bench.folder) as h:
        monkeypatch.setattr(Path, "write_bytes", refuse)
        monkeypatch.setattr(Path, "unlink", refuse)
        edge.set_background(h, samples[0].bg)
        assert edge.infer(h, samples[1].fg_bg)[0] is not None


@pytest.mark.parametrize("name", GPUS)
def test_a_frame_under_way_keeps_its_scene(
    name: str, gpu: Callable[[str], Bench], samples: list[Sample]
) -> None:
    bench = gpu(name)
    with edge.open(bench.folder) as h:
        edge.set_background(h, samples[0].bg)
        ticket = edge.submit(h, samples[1].fg_bg)
        edge.set_background(h, samples[4].bg)
        mask, _ = edge.wait(h, ticket)
        assert np.array_equal(mask, bench.expected(samples[0].bg, samples[1].fg_bg)[0])


def test_a_gpu_of_another_generation_is_refused(gpu: Callable[[str], Bench]) -> None:
    bench = gpu("tensorrt-rtx")
    bench.cuda.capability = 89
    with pytest.raises(BuildMismatch, match=r"for SM 86, this GPU is SM 89; .*--sm 89"):
        edge.open(bench.folder)


def test_another_version_is_refused(gpu: Callable[[str], Bench]) -> None:
    bench = gpu("tensorrt")
    bench.trt.__version__ = "10.3.0"
    with pytest.raises(BuildMismatch, match=r"built with tensorrt 11\.4\.0, found 10\.3\.0"):
        edge.open(bench.folder)


def rewritten(bench: Bench, name: str, data: bytes) -> None:
    """Replace a file of the build and its hash."""
    file, manifest = bench.folder / name, bench.folder / "manifest.json"
    before = sha256(file)
    file.write_bytes(data)
    line = f'"{name}": "{before}"'
    manifest.write_text(manifest.read_text().replace(line, line.replace(before, sha256(file))))


def test_a_plan_that_cannot_be_loaded_is_refused_in_tensorrts_words(
    gpu: Callable[[str], Bench],
) -> None:
    bench = gpu("tensorrt")
    rewritten(bench, "frame.engine", b"of another machine")
    with pytest.raises(BuildMismatch, match=r"frame\.engine: the plan was made for another GPU"):
        edge.open(bench.folder)


def test_a_plan_of_another_gpu_is_refused_before_tensorrt_sees_it(
    gpu: Callable[[str], Bench],
) -> None:
    """TensorRT loads a plan of another generation with luck only."""
    bench = gpu("tensorrt")
    bench.cuda.capability = 87
    with pytest.raises(
        BuildMismatch, match=r"for SM 86, this GPU is SM 87; build it on this machine: edge build"
    ) as caught:
        edge.open(bench.folder)
    assert "--sm" not in str(caught.value)


def test_a_truncated_plan_is_refused_with_the_command_that_builds_it(
    gpu: Callable[[str], Bench],
) -> None:
    bench = gpu("tensorrt")
    engine = bench.folder / "frame.engine"
    engine.write_bytes(engine.read_bytes()[:-100])
    with pytest.raises(BuildMismatch, match=r"frame\.engine is not the file .*: edge build"):
        edge.open(bench.folder)
    bench = gpu("tensorrt")
    # Written like that by a disk that was full: its hash is right.
    rewritten(bench, "frame.engine", engine.read_bytes()[:-100])
    with pytest.raises(BuildMismatch, match=r"tensorrt 11\.4\.0 cannot load .*: edge build"):
        edge.open(bench.folder)
    assert (bench.cuda.blocks, bench.cuda.streams) == ({}, {})


@pytest.mark.parametrize("name", GPUS)
def test_a_full_gpu_is_said_in_one_sentence_and_nothing_stays_on_it(
    name: str, gpu: Callable[[str], Bench], samples: list[Sample]
) -> None:
    """For a buffer, where there are some, and for TensorRT's own memory."""
    bench = gpu(name)
    words = r"no room for .*: \d+ of 1074 MB are free, it needs more than \d+ MB \(.*\); end other"
    for context in range(2 * SLOTS):
        bench.trt._no_room_after = len(bench.trt._contexts) + context
        with pytest.raises(drivers.OutOfMemory, match=words) as caught:
            edge.open(bench.folder)
        assert "could not be allocated" in str(caught.value) and "\n" not in str(caught.value)
        assert (bench.cuda.blocks, bench.cuda.streams) == ({}, {})
    bench.trt._no_room_after = None
    bench.cuda.room = 100_000
    with pytest.raises(drivers.OutOfMemory, match=words):
        edge.open(bench.folder)
    assert (bench.cuda.blocks, bench.cuda.streams) == ({}, {})
    bench.cuda.room = 1 << 30
    with edge.open(bench.folder) as h:
        edge.set_background(h, samples[0].bg)
        edge.infer(h, samples[1].fg_bg)


def test_memory_that_ends_while_warming_up_has_the_same_hint(
    gpu: Callable[[str], Bench], samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    """CUDA allocates when a graph is made ready to launch."""
    bench = gpu("tensorrt")

    def full(stream: object) -> None:
        raise drivers.OutOfMemory("CUDA: out of memory (cudaErrorMemoryAllocation)")

    with edge.open(bench.folder) as h:
        monkeypatch.setattr(bench.cuda, "end", full)
        with pytest.raises(EdgeError, match=r"out of memory .*; end other programs that use the"):
            edge.set_background(h, samples[0].bg)


def test_work_that_fails_is_an_error(gpu: Callable[[str], Bench], samples: list[Sample]) -> None:
    bench = gpu("pycuda, without graphs")
    with edge.open(bench.folder) as h:
        edge.set_background(h, samples[0].bg)
        bench.trt._broken = True
        with pytest.raises(EdgeError, match=r"cannot run .*: an illegal memory access"):
            edge.infer(h, samples[1].fg_bg)


def test_an_unknown_library_and_a_missing_gpu_are_refused(no_gpu: None) -> None:
    with pytest.raises(EdgeError, match=r"unknown --cuda-backend 'opencl'; known: auto, cuda-pyt"):
        drivers.driver("opencl")
    with pytest.raises(EdgeError, match=r"no usable GPU on this machine|needs `cuda`"):
        drivers.driver()


@pytest.mark.gpu
def test_the_real_gpu_gives_what_the_cpu_gives(
    plan: Callable[..., Plan], tmp_path: Path, samples: list[Sample]
) -> None:
    """The one test that runs a plan: TensorRT-RTX or TensorRT, whichever is installed."""
    name = "tensorrt-rtx" if drivers.is_installed("tensorrt_rtx") else "tensorrt"
    write_build(plan(name, "fp32"), tmp_path / "gpu")
    bench = Bench(tmp_path / "gpu", FakeCuda(), None)  # type: ignore[arg-type]
    with edge.open(bench.folder) as h:
        edge.set_background(h, samples[0].bg)
        for sample in samples[:4]:
            true = bench.expected(samples[0].bg, sample.fg_bg)
            for a, b in zip(edge.infer(h, sample.fg_bg), true, strict=True):
                assert np.abs(np.asarray(a) - b).max() < 0.02


def test_tensorrt_that_is_there_but_cannot_be_loaded_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container without NVIDIA's runtime."""
    from edge.runtime.backends.tensorrt import load

    why = "libnvinfer.so.10: cannot open shared object file"
    (tmp_path / "tensorrt_here.py").write_text(f"raise ImportError({why!r})")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(EdgeError, match=f"is installed, but cannot be loaded: {why}"):
        load("tensorrt_here")
    with pytest.raises(EdgeError, match="`tensorrt_nowhere` is not installed"):
        load("tensorrt_nowhere")


def test_two_threads_with_one_handle(gpu: Callable[[str], Bench], samples: list[Sample]) -> None:
    """Work that is done late, and a second thread: each gets the answer to its own frame."""
    bench = gpu("tensorrt")
    with edge.open(bench.folder) as h:
        edge.set_background(h, samples[0].bg)
        tickets = [edge.submit(h, samples[number].fg_bg) for number in (1, 2)]
        found: dict[int, Outputs] = {}

        def intrude() -> None:
            found[3] = edge.infer(h, samples[3].fg_bg)
            found[1] = edge.wait(h, tickets[0])

        thread = threading.Thread(target=intrude)
        thread.start()
        thread.join()
        found[2] = edge.wait(h, tickets[1])
        for number, outputs in found.items():
            true = bench.expected(samples[0].bg, samples[number].fg_bg)
            for a, b in zip(outputs, true, strict=True):
                assert np.array_equal(a, b)
