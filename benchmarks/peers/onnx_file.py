"""Any ONNX file as a peer, in ONNX Runtime and in OpenVINO.

What its outputs mean is not known, so only its time is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge.benchmarks.measuring.rounds import FrameTimes
from edge.benchmarks.measuring.samples import load_samples
from edge.benchmarks.peers.peer import PeerInfo, PeerJob, PeerRequest, register
from edge.benchmarks.reporting.report import MaskScores
from edge.errors import EdgeError, UsageError
from edge.samples.sample import Sample

RUNS = (("onnxruntime", "fp32"), ("openvino", "fp32"), ("openvino", "bf16"))
"""Runtimes and precisions, so that a file is compared in its best."""
BACKGROUND_NAMES = ("bg", "bgr", "background")


@register
def onnx_files(request: PeerRequest) -> Iterator[PeerJob]:
    """Each file of --peer in each of RUNS."""
    for model in request.files:
        if not model.is_file():
            raise UsageError(f"--peer {model}: no such file; expected an ONNX network")
        for runtime, precision in RUNS:
            yield OnnxJob(model, runtime, precision, request.threads, request.samples)


@dataclass(frozen=True)
class OnnxJob:
    """An ONNX file in a runtime and precision, on pickled samples."""

    model: Path
    runtime: str
    precision: str
    threads: int
    samples: Path

    def open(self) -> OnnxWorker:
        return OnnxWorker(self)


class OnnxWorker:
    """Runs a foreign network."""

    def __init__(self, job: OnnxJob) -> None:
        cv2.setNumThreads(1)
        self.samples = load_samples(job.samples)
        self.next = 0
        try:
            open_file = _onnxruntime if job.runtime == "onnxruntime" else _openvino
            self.inputs, self.run = open_file(job)
        except ModuleNotFoundError:
            raise
        except Exception as error:  # ONNX Runtime's own have no other base
            reason = str(error).strip().splitlines()[-1]
            raise EdgeError(
                f"--peer {job.model}: {job.runtime} cannot load it: {reason}"
            ) from error
        layouts = [layout for shape, _ in self.inputs.values() if (layout := _layout(shape))]
        if not layouts:
            shapes = ", ".join(f"{name} {shape}" for name, (shape, _) in self.inputs.items())
            raise UsageError(
                f"--peer {job.model}: no input takes an image; found {shapes}, expected"
                " [1, 3, H, W] or [1, H, W, 3] of fixed size"
            )
        name = f"{job.model.stem} ({job.runtime} {job.precision})"
        size = layouts[0].height, layouts[0].width
        self.info = PeerInfo(name, job.runtime, job.precision, size, str(job.model))

    def score(self) -> MaskScores | None:
        return None

    def _feeds(self, sample: Sample) -> Feeds:
        """Images for image inputs (bg and spread by the input's name), zeros for the others."""
        feeds = {}
        for name, (shape, dtype) in self.inputs.items():
            layout = _layout(shape)
            if layout is None:
                feeds[name] = np.zeros(shape, dtype)
                continue
            image = sample.fg_bg
            if name in BACKGROUND_NAMES:
                image = sample.bg
            elif name == "spread":
                image = sample.inputs()[name][0]
            size = layout.width, layout.height
            value = cv2.resize(image, size, interpolation=cv2.INTER_AREA)[None]
            value = np.ascontiguousarray(
                value.transpose(0, 3, 1, 2) if layout.channels_first else value
            )
            whole = np.issubdtype(dtype, np.integer)
            feeds[name] = value.astype(dtype) if whole else (value / 255).astype(dtype)
        return feeds

    def frames(self, count: int) -> FrameTimes:
        times = FrameTimes()
        for _ in range(count):
            sample = self.samples[self.next][1]
            self.next = (self.next + 1) % len(self.samples)
            start = time.perf_counter()
            feeds = self._feeds(sample)
            middle = time.perf_counter()
            self.run(feeds)
            end = time.perf_counter()
            times.preprocess.append(1e3 * (middle - start))
            times.latency.append(1e3 * (end - middle))
        return times


Feeds = dict[str, npt.NDArray[Any]]
Inputs = dict[str, tuple[list[int], Any]]
"""Shape and dtype by name."""
Opened = tuple[Inputs, Callable[[Feeds], object]]


@dataclass(frozen=True)
class _Layout:
    height: int
    width: int
    channels_first: bool


def _layout(shape: list[int]) -> _Layout | None:
    """The layout of an input that takes one image, else None."""
    if len(shape) != 4 or shape[0] != 1:
        return None
    if shape[1] == 3:
        return _Layout(shape[2], shape[3], True)
    return _Layout(shape[1], shape[2], False) if shape[3] == 3 else None


def _onnxruntime(job: OnnxJob) -> Opened:
    from edge.runtime.backends.onnxruntime import session

    opened = session(job.model.read_bytes(), job.threads)
    kinds = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
    inputs = {
        value.name: (
            [side if isinstance(side, int) else 1 for side in value.shape],
            kinds.get(value.type, np.int64),
        )
        for value in opened.get_inputs()
    }
    return inputs, lambda feeds: opened.run(None, feeds)


def _openvino(job: OnnxJob) -> Opened:
    from edge.runtime.backends.openvino import compiled, core
    from edge.targets.openvino import HINTS

    model = core().read_model(job.model)
    ready = compiled(model, job.threads, HINTS[job.precision])
    request = ready.create_infer_request()
    inputs = {
        value.any_name: (
            [side.get_length() if side.is_static else 1 for side in value.partial_shape],
            value.element_type.to_dtype(),
        )
        for value in ready.inputs
    }
    return inputs, lambda feeds: request.infer(feeds, share_inputs=True, share_outputs=True)
