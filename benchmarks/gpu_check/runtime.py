"""Checks of the runtime's GPU backend, with the stand-in engine, through the runtime's calls."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

import edge
from edge.benchmarks.gpu_check.arrays import Arrays
from edge.benchmarks.gpu_check.check import Failed, Seen
from edge.benchmarks.gpu_check.counted import Counted
from edge.benchmarks.gpu_check.scenes import Scene, planes
from edge.benchmarks.gpu_check.stand_in import open_stand_in
from edge.benchmarks.measuring.gpu_memory import gpu_memory_mb
from edge.runtime.backend import SLOTS, Staged
from edge.runtime.handle import Handle

LARGEST = 1e-3
"""Difference to the CPU that float32 sums in another order may give, of values in 0..1."""
STAGED = 200
GROWTH_MB = {False: 4.0, True: 32.0}
"""Memory of the GPU that each half of the frames may take: more where it is the host's
(integrated), which other programs use as well."""
HOST_GROWTH_MB = 8.0


@dataclass(frozen=True)
class StandInBench:
    """What the checks run on: an array library, a build for the stand-in, and frames."""

    cuda: Counted
    arrays: Arrays
    build: Path
    scenes: list[Scene]
    frames: int

    @contextmanager
    def opened(self, *, fold: bool = True) -> Iterator[Handle]:
        """A handle; everything on the GPU must be given back when it is closed."""
        h = open_stand_in(self.build, self.cuda, self.arrays, fold=fold)
        try:
            yield h
        finally:
            edge.close(h)


def _difference(found: npt.NDArray[Any], true: npt.NDArray[Any], what: str) -> float:
    """The largest difference to the CPU; Failed where it is more than rounding."""
    largest = float(np.abs(found - true).max())
    if not largest <= LARGEST:
        raise Failed(f"{what} differs from the CPU by {largest:.4g}, expected at most {LARGEST}")
    return largest


def check_outputs(bench: StandInBench) -> Seen:
    """Mask and depth of both scenes, folded and not, one frame and two under way; one captured
    graph for each slot; a result outlives its build."""
    largest = 0.0
    for fold in (True, False):
        before = bench.cuda.made["graph"]
        with bench.opened(fold=fold) as h:
            for scene in bench.scenes:
                edge.set_background(h, scene.bg, scene.spread)
                for frame, true in zip(scene.frames, scene.truth, strict=True):
                    largest = max(largest, _difference(planes(edge.infer(h, frame)), true, "infer"))
                tickets = [edge.submit(h, frame) for frame in scene.frames[:SLOTS]]
                for ticket, true in zip(tickets, scene.truth, strict=False):
                    found = planes(edge.wait(h, ticket))
                    largest = max(largest, _difference(found, true, "submit and wait"))
            graphs = bench.cuda.made["graph"] - before
            last, frame = bench.scenes[-1], bench.scenes[-1].frames[0]
            kept = edge.infer(h, frame)
        _difference(planes(kept), last.truth[0], "a result after closing")
        bench.cuda.check_empty()
        if bench.cuda.graphs and graphs != SLOTS:
            raise Failed(f"{graphs} graphs were captured, expected one for each of {SLOTS} slots")
    text = f"differs from the CPU by at most {largest:.1e}"
    text += f", {SLOTS} captured graphs" if bench.cuda.graphs else ", without graphs"
    return Seen(text, {"largest_difference": largest})


def check_threads(bench: StandInBench) -> Seen:
    """Two threads, each with a handle and a scene of its own."""
    count, failures = max(bench.frames // 20, 8), []

    def work(scene: Scene) -> None:
        try:
            with bench.opened() as h:
                edge.set_background(h, scene.bg, scene.spread)
                for number in range(count):
                    which = number % len(scene.frames)
                    found = planes(edge.infer(h, scene.frames[which]))
                    _difference(found, scene.truth[which], f"frame {number} of a thread")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(scene,)) for scene in bench.scenes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    bench.cuda.check_empty()
    return Seen(f"{count} frames in each of two threads are right", {"frames": count})


def _used_mb(cuda: Counted) -> tuple[float, float]:
    """MB that this process has of the GPU and of the host; where nobody knows it, what all programs
    together have of the GPU."""
    gc.collect()
    own = gpu_memory_mb()
    free, total = cuda.memory()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return own or (total - free) / 1e6, pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def check_frames(bench: StandInBench) -> Seen:
    """Many frames: nothing is allocated, moved or captured, no memory grows, results stay right."""
    half, scene, cuda = bench.frames // 2, bench.scenes[0], bench.cuda
    with bench.opened() as h, cuda.active():
        edge.set_background(h, scene.bg, scene.spread)
        for frame in scene.frames * 8:
            edge.infer(h, frame)
        made = cuda.made.copy()
        places = [plane.ctypes.data for slot in h.backend.outputs for plane in slot.values()]
        used, seconds = [_used_mb(cuda)], 0.0
        for _ in range(2):
            start = time.perf_counter()
            for number in range(half):
                found = edge.infer(h, scene.frames[number % len(scene.frames)])
                if number % 97 == 0:
                    true = scene.truth[number % len(scene.frames)]
                    _difference(planes(found), true, f"frame {number}")
            seconds += time.perf_counter() - start
            used.append(_used_mb(cuda))
        if more := cuda.made - made:
            raise Failed(f"frames allocated {', '.join(f'{n} {kind}' for kind, n in more.items())}")
        if places != [p.ctypes.data for slot in h.backend.outputs for p in slot.values()]:
            raise Failed("the results moved to other addresses")
    cuda.check_empty()
    on_gpu, on_host = (
        [after - before for before, after in pairwise(values)] for values in zip(*used, strict=True)
    )
    for what, growth, limit in (
        ("GPU's", on_gpu, GROWTH_MB[cuda.integrated]),
        ("host's", on_host, HOST_GROWTH_MB),
    ):
        # Growth that stops is a cache; a leak grows in both halves.
        if min(growth) > limit:
            raise Failed(
                f"the {what} memory grew by {growth[0]:.1f} and {growth[1]:.1f} MB in {half} frames"
                f" each, expected at most {limit:g}"
            )
    ms = 1e3 * seconds / (2 * half)
    return Seen(
        f"{2 * half} frames, {ms:.3f} ms each with the stand-in; GPU {sum(on_gpu):+.1f} MB, host"
        f" {sum(on_host):+.1f} MB",
        {"frames": 2 * half, "ms": ms, "gpu_growth_mb": on_gpu, "host_growth_mb": on_host},
    )


def check_stages(bench: StandInBench) -> Seen:
    """The stages by the GPU's clock, which fit into the time that passed."""
    expected = ["gpu_compute"] if bench.cuda.integrated else ["h2d", "gpu_compute", "d2h"]
    with bench.opened() as h:
        edge.set_background(h, bench.scenes[0].bg, bench.scenes[0].spread)
        edge.infer(h, bench.scenes[0].frames[0])
        assert isinstance(h.backend, Staged)
        start = time.perf_counter()
        taken = h.backend.stages(STAGED)
        passed = 1e3 * (time.perf_counter() - start)
    bench.cuda.check_empty()
    if list(taken) != expected or any(len(times) != STAGED for times in taken.values()):
        raise Failed(f"stages {list(taken)}, expected {STAGED} times of {expected}")
    all_times = np.array(list(taken.values()))
    if not (np.isfinite(all_times).all() and (all_times >= 0).all() and any(taken["gpu_compute"])):
        raise Failed("the GPU's clock went backwards or stood still")
    if all_times.sum() > passed:
        raise Failed(
            f"the stages of {STAGED} frames took {all_times.sum():.2f} ms by the GPU's clock, but"
            f" {passed:.2f} ms passed"
        )
    medians = {stage: round(median(times), 4) for stage, times in taken.items()}
    text = ", ".join(f"{stage} {ms:.4f} ms" for stage, ms in medians.items())
    return Seen(f"{text} with the stand-in, p50 of {STAGED}", medians)
