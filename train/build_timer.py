"""Time networks as int8 builds, in a process of their own.

Beside torch a runtime would share its cores with torch's threads, and processes that training forks
do not survive OpenVINO's. So nothing here imports torch.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import onnx

import edge
from edge.builder.write import planned, write
from edge.calibrate.apply import calibrated
from edge.samples.sample import Sample
from edge.targets.table import TARGETS

ROUNDS, RUNS = 30, 5


def timed(
    models: Sequence[bytes], target: str, samples: Sequence[Sample], threads: int
) -> list[float]:
    """Median milliseconds of a frame for each float ONNX network, built in int8 for `target`.

    They take turns, so only their ratios are exact. samples: at the networks' size; they give the
    ranges and are the frames. Runs in a fresh process.
    """
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, fresh) as pool:
        return pool.submit(_take_turns, list(models), target, list(samples), threads).result()


def _take_turns(
    models: list[bytes], target: str, samples: list[Sample], threads: int
) -> list[float]:
    times: list[list[float]] = [[] for _ in models]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-prune-")))
        handles = []
        for number, data in enumerate(models):
            model = onnx.ModelProto.FromString(data)
            plan = planned(model, "pruned", TARGETS[target], "int8", "edge prune")
            write(calibrated(plan, samples, threads), folder / str(number), time.monotonic())
            handles.append(stack.enter_context(edge.open(folder / str(number), threads)))
            edge.set_background(handles[-1], samples[0].bg)
        for _ in range(ROUNDS):
            for h, taken in zip(handles, times, strict=True):
                for sample in samples[:RUNS]:
                    start = time.perf_counter()
                    edge.infer(h, sample.fg_bg)
                    taken.append(1e3 * (time.perf_counter() - start))
    return [median(taken) for taken in times]
