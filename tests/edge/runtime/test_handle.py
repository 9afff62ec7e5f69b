"""The runtime's calls on every backend that runs here, against the whole float network."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import edge
from edge.builder.plan import Plan
from edge.builder.write import write_build
from edge.errors import EdgeError, UsageError
from edge.runtime.handle import Outputs
from edge.samples.sample import Sample
from tests.images import taken

TARGETS = ["onnxruntime", "openvino"]


def reference(network: onnx.ModelProto, sample: Sample) -> list[np.ndarray]:
    """Mask and depth of the unsplit float network, optimisation off."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(network.SerializeToString(), options)
    found = session.run(["mask", "depth"], taken(session, sample.bg, sample.fg_bg))
    return [np.asarray(output)[0, 0] for output in found]


def both(
    h: edge.Handle, network: onnx.ModelProto, sample: Sample
) -> tuple[Outputs, list[np.ndarray]]:
    return edge.infer(h, sample.fg_bg), reference(network, sample)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("fold", [True, False])
def test_fp32_gives_the_networks_own_numbers(
    target: str, fold: bool, builds, network: onnx.ModelProto, samples: list[Sample]
) -> None:
    with edge.open(builds(target, "fp32"), threads=1, fold=fold) as h:
        for sample in samples:
            edge.set_background(h, sample.bg)
            for found, true in zip(*both(h, network, sample), strict=True):
                assert found is not None
                assert found.dtype == np.float32
                assert np.abs(found - true).max() < 1e-5


@pytest.mark.parametrize("target", TARGETS)
def test_bytes_are_the_same_answer(
    target: str, plan: Callable[..., Plan], builds, samples: list[Sample], tmp_path: Path
) -> None:
    """From an int8 build, where a runtime might pull the last rounding into the layers before."""
    place = tmp_path / "build"
    write_build(replace(plan(target, "int8"), uint8_outputs=True), place)
    with edge.open(place, threads=1) as ours, edge.open(builds(target, "int8"), threads=1) as plain:
        for sample in samples[:3]:
            edge.set_background(ours, sample.bg)
            edge.set_background(plain, sample.bg)
            pairs = zip(
                edge.infer(ours, sample.fg_bg), edge.infer(plain, sample.fg_bg), strict=True
            )
            for found, true in pairs:
                assert found is not None and true is not None
                assert found.dtype == np.uint8
                assert np.abs(found - 255 * true).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("target", TARGETS)
def test_int8_stays_close_to_float(
    target: str, builds, network: onnx.ModelProto, samples: list[Sample]
) -> None:
    """And would not, were a graph made for one target run on another."""
    differences = []
    with edge.open(builds(target, "int8"), threads=1) as h:
        for sample in samples:
            edge.set_background(h, sample.bg)
            for found, true in zip(*both(h, network, sample), strict=True):
                assert found is not None
                differences.append(float(np.abs(found - true).mean()))
    assert max(differences) < 0.02
    assert max(differences) > 0  # it is another arithmetic


@pytest.mark.parametrize("target", TARGETS)
def test_buffers_stay_where_they_are_and_live_two_calls(
    target: str, builds, samples: list[Sample]
) -> None:
    with edge.open(builds(target, "int8"), threads=1) as h:
        edge.set_background(h, samples[0].bg)
        addresses = set()
        first, _ = edge.infer(h, samples[0].fg_bg)
        assert first is not None
        kept = first.copy()
        second, _ = edge.infer(h, samples[1].fg_bg)
        assert second is not None
        assert np.array_equal(first, kept)
        assert not np.shares_memory(first, second)
        for _ in range(6):
            mask, depth = edge.infer(h, samples[2].fg_bg)
            assert mask is not None
            assert depth is not None
            addresses |= {mask.ctypes.data, depth.ctypes.data}
        assert len(addresses) == 4


@pytest.mark.parametrize("target", TARGETS)
def test_submit_and_wait_give_what_infer_gives(target: str, builds, samples: list[Sample]) -> None:
    with edge.open(builds(target, "int8"), threads=1) as h:
        edge.set_background(h, samples[0].bg)
        expected = [edge.infer(h, sample.fg_bg)[0] for sample in samples[:1]]
        kept = [mask.copy() for mask in expected if mask is not None]
        scratch = samples[0].fg_bg.copy()
        ticket = edge.submit(h, scratch)
        scratch[:] = 0  # the frame's memory is free again
        other = edge.submit(h, samples[1].fg_bg)
        with pytest.raises(UsageError, match=f"wait for ticket {ticket} first"):
            edge.submit(h, samples[2].fg_bg)
        mask, _ = edge.wait(h, ticket)
        assert mask is not None
        assert np.array_equal(mask, kept[0])
        edge.wait(h, other)
        with pytest.raises(UsageError, match="is not under way"):
            edge.wait(h, ticket)


@pytest.mark.parametrize("target", TARGETS)
def test_a_new_background_takes_effect(target: str, builds, samples: list[Sample]) -> None:
    """A frame equal to the background is empty; against another scene it is not."""
    with edge.open(builds(target, "fp32"), threads=1) as h:
        edge.set_background(h, samples[0].bg)
        same, _ = edge.infer(h, samples[0].bg)
        assert same is not None
        empty = float((same > 0.5).mean())
        edge.set_background(h, samples[4].bg)
        other, _ = edge.infer(h, samples[0].bg)
        assert other is not None
        assert empty < 0.01 < float((other > 0.5).mean())


def test_pictures_of_another_size_or_type_are_refused_by_name(builds) -> None:
    with edge.open(builds("onnxruntime", "fp32")) as h:
        with pytest.raises(UsageError, match="no background yet"):
            edge.infer(h, np.zeros((64, 64, 3), np.uint8))
        with pytest.raises(UsageError, match=r"bg is uint8 \[32, 64, 3\], expected uint8 \[64, 64"):
            edge.set_background(h, np.zeros((32, 64, 3), np.uint8))
        edge.set_background(h, np.zeros((64, 64, 3), np.uint8))
        with pytest.raises(UsageError, match="frame is float32"):
            edge.infer(h, np.zeros((64, 64, 3), np.float32))  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="frame is list"):
            edge.infer(h, [1])  # type: ignore[arg-type]


def test_fit_makes_any_picture_fit(builds, rng: np.random.Generator) -> None:
    with edge.open(builds("onnxruntime", "fp32")) as h:
        big = rng.integers(0, 256, (480, 640, 3), np.uint8)
        edge.set_background(h, edge.fit(h, big))
        exact = np.zeros((64, 64, 3), np.uint8)
        assert edge.fit(h, exact) is exact


LOOP = """
import ctypes, gc, resource, sys, tracemalloc
import numpy as np
import edge

ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: huge pages come by chance

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

def frames(count):
    for number in range(count):
        if number % 2:
            edge.infer(h, frame)
        else:
            edge.wait(h, edge.submit(h, frame))
    gc.collect()

with edge.open(sys.argv[1], threads=1) as h:
    frame = np.full((h.height, h.width, 3), 90, np.uint8)
    edge.set_background(h, frame)
    tracemalloc.start()
    frames(1000)
    kept, before = tracemalloc.get_traced_memory()[0], resident()
    frames(10_000)
    print(tracemalloc.get_traced_memory()[0] - kept, resident() - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_ten_thousand_frames_leave_nothing_behind(target: str, builds) -> None:
    """In a process of its own: what other tests left behind moves the size of this one."""
    words = [sys.executable, "-c", LOOP, str(builds(target, "int8"))]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    objects, resident = (int(part) for part in done.stdout.split())
    assert objects < 10_000  # an object a frame would be 280,000 at least
    assert resident < 1_000_000


def test_close_is_idempotent_and_final(builds) -> None:
    h = edge.open(builds("openvino", "fp32"), threads=1)
    edge.close(h)
    edge.close(h)
    with pytest.raises(EdgeError, match="is closed"):
        edge.set_background(h, np.zeros((64, 64, 3), np.uint8))


def test_threads_are_checked(builds) -> None:
    with pytest.raises(UsageError, match="threads is 0"):
        edge.open(builds("openvino", "fp32"), threads=0)


@pytest.mark.parametrize("target", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("calls", [1, 2, 5])
def test_results_stay_valid_when_the_background_changes(
    target: str, calls: int, builds, samples: list[Sample]
) -> None:
    """The last two results, whichever calls come between but infer and submit."""
    with edge.open(builds(target, "int8"), 1) as h:
        edge.set_background(h, samples[0].bg)
        results = [edge.infer(h, samples[i % 4].fg_bg) for i in range(calls)][-2:]
        before = [[np.array(plane) for plane in planes] for planes in results]
        edge.set_background(h, samples[4].bg)
        edge.set_background(h, samples[0].bg)
        for planes, copies in zip(results, before, strict=True):
            for plane, copy in zip(planes, copies, strict=True):
                assert np.array_equal(plane, copy)


@pytest.mark.parametrize("target", ["onnxruntime", "openvino"])
def test_a_result_under_way_is_kept_when_the_background_changes(
    target: str, builds, samples: list[Sample]
) -> None:
    with edge.open(builds(target, "int8"), 1) as h:
        edge.set_background(h, samples[0].bg)
        true = [np.array(plane) for plane in edge.infer(h, samples[1].fg_bg)]
        tickets = [edge.submit(h, samples[1].fg_bg) for _ in range(2)]
        edge.set_background(h, samples[4].bg)
        for ticket in tickets:
            for plane, copy in zip(edge.wait(h, ticket), true, strict=True):
                assert np.array_equal(plane, copy)


SIGNAL = """
import gc, signal, sys
import edge
handles = [edge.open(build, 1) for build in sys.argv[1:]]
for h in handles:
    edge.close(h)
del h, handles[:]
gc.collect()
signal.signal(signal.SIGINT, lambda *_: print("handled"))
signal.raise_signal(signal.SIGINT)
"""


@pytest.mark.parametrize("target", TARGETS)
def test_a_signal_after_handles_were_closed_in_the_order_of_opening(
    target: str, builds: Callable[[str, str], Path]
) -> None:
    """OpenVINO left a freed stack for signals behind: Ctrl-C was a segmentation fault."""
    build = str(builds(target, "fp32"))
    done = subprocess.run(
        [sys.executable, "-c", SIGNAL, build, build, build],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr


@pytest.mark.parametrize("target", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("fold", [True, False])
def test_the_background_graph_runs_once_for_a_background_or_else_at_every_frame(
    target: str, fold: bool, builds, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    with edge.open(builds(target, "fp32"), threads=1, fold=fold) as h:
        edge.set_background(h, image)
        runs, backend = [], h.backend
        monkeypatch.setattr(type(backend), "_run_background", lambda self: runs.append(1))
        edge.infer(h, image)
        edge.wait(h, edge.submit(h, image))
        assert len(runs) == (0 if fold else 2)
        edge.set_background(h, image)
        assert len(runs) == (1 if fold else 3)
