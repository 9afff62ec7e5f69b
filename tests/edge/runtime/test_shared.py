"""The handles of one build share what was compiled, and nothing else."""

from __future__ import annotations

import gc
import shutil
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
from onnx import numpy_helper

import edge
from edge import manifest as manifests
from edge.errors import UsageError
from edge.runtime import shared as registry
from edge.runtime.backends import onnxruntime as ort_backend
from edge.runtime.backends import openvino as ov_backend
from edge.samples.sample import Sample
from tests.images import taken

TARGETS = ["onnxruntime", "openvino"]


def common(h: edge.Handle) -> object:
    """What a handle shares."""
    return getattr(h.backend, "_graphs" if h.manifest.target == "openvino" else "_sessions")


def masks(h: edge.Handle, samples: list[Sample]) -> list[np.ndarray]:
    return [np.array(edge.infer(h, sample.fg_bg)[0]) for sample in samples]


def with_scene_compiled_in(build: Path, bg: np.ndarray) -> onnx.ModelProto:
    """The frame graph of a build whose scene tensors are constants."""
    background = onnx.load(build / "background.onnx")
    session = ort_backend.session(background.SerializeToString(), 1)
    names = [output.name for output in session.get_outputs()]
    frame = onnx.load(build / "frame.onnx")
    for name, value in zip(names, session.run(names, taken(session, bg, bg)), strict=True):
        frame.graph.initializer.append(numpy_helper.from_array(value, name))
        frame.graph.input.remove(next(v for v in frame.graph.input if v.name == name))
    return frame


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_inputs_give_what_constants_give(
    target: str, precision: str, builds, samples: list[Sample], tmp_path: Path
) -> None:
    build = builds(target, precision)
    manifest = manifests.read(build)
    for sample in (samples[0], samples[4]):
        frame = with_scene_compiled_in(build, sample.bg)
        feeds = {"fg_bg": sample.fg_bg[None]}
        if target == "onnxruntime":
            session = ort_backend.session(frame.SerializeToString(), 1)
            true = dict(zip(("mask", "depth"), session.run(["mask", "depth"], feeds), strict=True))
        else:
            onnx.save(frame, tmp_path / "frame.onnx")
            model = ov_backend.core().read_model(tmp_path / "frame.onnx")
            hint = manifest.options["inference_precision"]
            results = ov_backend.compiled(model, 1, hint)(feeds)
            true = {name: results[name] for name in ("mask", "depth")}
        with edge.open(build, 1) as h:
            edge.set_background(h, sample.bg)
            for found, name in zip(edge.infer(h, sample.fg_bg), ("mask", "depth"), strict=True):
                assert found is not None
                # Folded constants may round a value at the border of two steps the other way,
                # which the pixels around it show.
                difference = np.abs(found - true[name][0, 0])
                assert np.quantile(difference, 0.8) < 1e-5
                assert difference.max() < (1e-5 if precision == "fp32" else 0.1)


@pytest.mark.parametrize("target", TARGETS)
def test_handles_share_by_files_and_threads(
    target: str, builds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge.runtime.handle, "usable_cores", lambda: 2)
    build = builds(target, "int8")
    copied = shutil.copytree(build, tmp_path / "copy")
    with (
        edge.open(build, 1) as one,
        edge.open(build, 1) as two,
        edge.open(copied, 1) as copy,
        edge.open(build, 2) as wide,
        edge.open(builds(target, "fp32"), 1) as other,
    ):
        assert common(one) is common(two) is common(copy)
        assert len({id(common(h)) for h in (one, wide, other)}) == 3


def test_there_are_as_many_graphs_as_frames_can_run_at_once(
    builds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ov_backend, "usable_cores", lambda: 2)
    build = builds("openvino", "int8")
    counts, handles = [], []
    for _ in range(4):
        handles.append(edge.open(build, 1))
        counts.append(len(common(handles[0])._frames))  # type: ignore[attr-defined]
    for h in handles:
        edge.close(h)
    assert counts == [1, 2, 2, 2]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_every_handle_keeps_its_own_scene(
    target: str, precision: str, builds, samples: list[Sample]
) -> None:
    build = builds(target, precision)
    scenes = [samples[0], samples[4]]
    alone = []
    for scene in scenes:
        with edge.open(build, 1) as h:
            edge.set_background(h, scene.bg)
            alone.append(masks(h, samples))
    assert not np.array_equal(alone[0][0], alone[1][0])
    handles = [edge.open(build, 1) for _ in scenes]
    for h, scene in zip(handles, scenes, strict=True):
        edge.set_background(h, scene.bg)
    for _ in range(2):
        for h, true in zip(handles, alone, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(masks(h, samples), true, strict=True))
    # Frames under way in all handles at once, in one thread.
    tickets = [[edge.submit(h, sample.fg_bg) for sample in samples[:2]] for h in handles]
    for h, true, mine in zip(handles, alone, tickets, strict=True):
        for ticket, mask in zip(mine, true[:2], strict=True):
            assert np.array_equal(edge.wait(h, ticket)[0], mask)  # type: ignore[arg-type]
    # The scene of one changes.
    edge.set_background(handles[0], scenes[1].bg)
    for h in handles:
        assert np.array_equal(masks(h, samples[1:2])[0], alone[1][1])
        edge.close(h)


@pytest.mark.parametrize("target", TARGETS)
def test_a_refused_background_changes_nothing(target: str, builds, samples: list[Sample]) -> None:
    with edge.open(builds(target, "int8"), 1) as h, edge.open(builds(target, "int8"), 1) as other:
        edge.set_background(h, samples[0].bg)
        edge.set_background(other, samples[4].bg)
        before = masks(h, samples[:1]) + masks(other, samples[:1])
        for wrong in (samples[4].bg[:32], samples[4].bg.astype(np.float32), samples[4].bg[..., :1]):
            with pytest.raises(UsageError, match="bg is"):
                edge.set_background(h, wrong)
        after = masks(h, samples[:1]) + masks(other, samples[:1])
        assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("target", TARGETS)
def test_handles_in_threads_of_their_own(target: str, builds, samples: list[Sample]) -> None:
    """More threads than graphs, and each changes its background as it goes."""
    build = builds(target, "int8")
    expected = []
    for scene in (samples[0], samples[4]):
        with edge.open(build, 1) as h:
            edge.set_background(h, scene.bg)
            expected.append(masks(h, samples))
    failed: list[object] = []
    start = threading.Barrier(5)

    def work(number: int) -> None:
        try:
            start.wait()
            with edge.open(build, 1) as h:
                for turn in range(4):
                    scene = (number + turn) % 2
                    edge.set_background(h, samples[4 * scene].bg)
                    for sample, true in zip(samples, expected[scene], strict=True):
                        ticket = edge.submit(h, sample.fg_bg)
                        first, _ = edge.infer(h, sample.fg_bg)
                        second, _ = edge.wait(h, ticket)
                        if not (np.array_equal(first, true) and np.array_equal(second, true)):  # type: ignore[arg-type]
                            failed.append((number, turn))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("first", [0, 1])
def test_one_handle_is_closed_and_the_other_goes_on(
    target: str, first: int, builds, samples: list[Sample]
) -> None:
    gc.collect()
    handles = [edge.open(builds(target, "int8"), 1) for _ in range(2)]
    for h in handles:
        edge.set_background(h, samples[0].bg)
    true = masks(handles[0], samples)
    ticket = edge.submit(handles[first], samples[1].fg_bg)
    edge.close(handles[first])
    last = handles[1 - first]
    assert all(np.array_equal(a, b) for a, b in zip(masks(last, samples), true, strict=True))
    edge.set_background(last, samples[4].bg)
    edge.set_background(last, samples[0].bg)
    assert np.array_equal(masks(last, samples[:1])[0], true[0])
    gone = weakref.ref(common(last))
    edge.close(last)
    gc.collect()
    assert gone() is None and ticket >= 0
    with edge.open(builds(target, "int8"), 1) as again:
        edge.set_background(again, samples[0].bg)
        assert np.array_equal(masks(again, samples[:1])[0], true[0])


def test_a_graph_is_free_again_after_a_frame_that_failed(
    builds, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    with edge.open(builds("openvino", "int8"), 1) as h:
        edge.set_background(h, samples[0].bg)

        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("out of memory")

        for call in ("infer", "start_async"):
            with monkeypatch.context() as patch:
                patch.setattr(openvino.InferRequest, call, fail)
                with pytest.raises(RuntimeError, match="out of memory"):
                    (edge.infer if call == "infer" else edge.submit)(h, samples[0].fg_bg)
        assert [graph.users for graph in common(h)._frames] == [0] * len(common(h)._frames)  # type: ignore[attr-defined]
        masks(h, samples)


SCENES = """
import ctypes, resource, sys
import numpy as np
import edge

ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: huge pages come by chance

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

build, backgrounds, cameras = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with edge.open(build, threads=1) as h:
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (4, h.height, h.width, 3), np.uint8)
    for number in range(50):
        edge.set_background(h, images[number % 4])
        edge.infer(h, images[0])
    before = resident()
    for number in range(backgrounds):
        edge.set_background(h, images[number % 4])
        edge.infer(h, images[0])
    grown = resident() - before
    second = edge.open(build, threads=1)
    before = resident()
    handles = [edge.open(build, threads=1) for _ in range(cameras)]
    for each in handles:
        edge.set_background(each, images[0])
        edge.infer(each, images[1])
    print(grown, (resident() - before) / cameras)
"""


@pytest.mark.parametrize("target", TARGETS)
def test_neither_backgrounds_nor_cameras_pile_up_graphs(target: str, builds) -> None:
    """A graph of this size takes 8 MB or more, a camera's own arrays half a megabyte."""
    words = [sys.executable, "-c", SCENES, str(builds(target, "int8")), "400", "20"]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    grown, camera = (float(part) for part in done.stdout.split())
    assert grown < 2e6
    assert camera < 2e6


FORK = """
import os, sys
from pathlib import Path
from edge import manifest as manifests
from edge.runtime.shared import shared

class Kept:
    pass

manifest = manifests.read(Path(sys.argv[1]))
mine = shared(manifest, 1, Kept)
assert shared(manifest, 1, Kept) is mine
if (child := os.fork()) == 0:
    os._exit(shared(manifest, 1, Kept) is mine)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_process_compiles_its_own(builds) -> None:
    words = [sys.executable, "-c", FORK, str(builds("onnxruntime", "fp32"))]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr


def test_another_precision_is_another_build(builds: Callable[[str, str], Path]) -> None:
    """bf16 and fp32 have the same files."""

    class Kept:
        pass

    manifest = manifests.read(builds("openvino", "fp32"))
    other = replace(manifest, options={"inference_precision": "bf16"})
    kept = registry.shared(manifest, 1, Kept)
    assert registry.shared(other, 1, Kept) is not kept
    assert registry.shared(manifest, 1, Kept) is kept
