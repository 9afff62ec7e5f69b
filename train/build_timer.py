"""Time networks as int8 builds, in a process of their own.

In the process of the training a runtime would share its cores with torch's threads, and workers
forked beside OpenVINO's threads do not survive. So this module must not import torch.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import onnx

import edge
from edge.builder.write import write_build
from edge.calibrate.apply import quantize_plan
from edge.calibrate.pipeline import BuildRequest, Calibration, plan
from edge.interleave import median_ms
from edge.samples.sample import Sample
from edge.train.semaphores import check_semaphores

ROUNDS, FRAMES = 30, 5


def time_builds(
    models: Sequence[bytes], target: str, samples: Sequence[Sample], threads: int
) -> list[float]:
    """Time float ONNX networks as int8 builds, in a fresh process.

    Rounds are interleaved, so ratios are exact and absolute times are not.

    Args:
        models: Serialized float networks.
        target: Name of a target that runs here.
        samples: At the networks' size; they give the activation ranges and are the frames.
        threads: Threads of each build.

    Returns:
        Median milliseconds per frame of each network.

    Raises:
        EdgeError: No process can be started.
    """
    check_semaphores()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as pool:
        return pool.submit(_time, list(models), target, list(samples), threads).result()


def _time(models: list[bytes], target: str, samples: list[Sample], threads: int) -> list[float]:
    request = BuildRequest(network="pruned", target=target, precision="int8")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-prune-")))
        calls = []
        for number, data in enumerate(models):
            out = folder / str(number)
            # Only its time counts: a network that was just pruned need not survive int8.
            exact = plan(replace(request, precision="fp32"), network=onnx.load_from_string(data))
            calibration = Calibration(request, exact.imgsz, samples)
            ranges = calibration.ranges(exact.split, exact.model["sha256"])
            write_build(quantize_plan(replace(exact, precision="int8"), ranges), out)
            handle = stack.enter_context(edge.open(out, threads))
            edge.set_background(handle, samples[0].bg)
            calls.append(_next_frame(handle, samples[:FRAMES]))
        return median_ms(calls, rounds=ROUNDS, repeat=FRAMES)


def _next_frame(handle: edge.Handle, samples: Sequence[Sample]) -> Callable[[], None]:
    """A call that infers one frame, of each sample in turn."""
    frames = cycle([sample.fg_bg for sample in samples])

    def infer() -> None:
        edge.infer(handle, next(frames))

    return infer
