"""What else a user could run on the same frames: OpenCV's subtractors, and any ONNX file."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from edge.benchmarks.measuring.worker import load_samples, mask_scores
from edge.errors import EdgeError, UsageError
from edge.samples.sample import Image, Sample

LEARNED = 50
"""How often a subtractor is shown the empty scene before its first frame."""


class Subtractor(Protocol):
    """mask of a frame at its own size, uint8 [H, W], 255 is foreground."""

    def learn(self, bg: Image) -> None: ...

    def apply(self, frame: Image) -> npt.NDArray[np.uint8]: ...


class Statistical:
    """OpenCV's adaptive subtractors, with their own defaults."""

    def __init__(self, create: Callable[[], Any]) -> None:
        self.create = create

    def learn(self, bg: Image) -> None:
        self.model = self.create()
        for _ in range(LEARNED):
            self.model.apply(bg)

    def apply(self, frame: Image) -> npt.NDArray[np.uint8]:
        return np.asarray(self.model.apply(frame), np.uint8)


def difference(bg: Image, frame: Image) -> npt.NDArray[np.uint8]:
    """Largest absolute difference of a channel, with a median against specks.

    A median and a threshold may change places, so this serves for every threshold.
    """
    channels = cv2.split(cv2.absdiff(frame, bg))
    largest = cv2.max(cv2.max(channels[0], channels[1]), channels[2])
    return np.asarray(cv2.medianBlur(largest, 5), np.uint8)


class Difference:
    """`difference` from the empty scene over a threshold: the strong simple baseline."""

    threshold = 30

    def learn(self, bg: Image) -> None:
        self.bg = bg

    def apply(self, frame: Image) -> npt.NDArray[np.uint8]:
        found = difference(self.bg, frame)
        return np.asarray(cv2.threshold(found, self.threshold, 255, cv2.THRESH_BINARY)[1], np.uint8)


SUBTRACTORS: dict[str, Callable[[], Subtractor]] = {
    "mog2": lambda: Statistical(cv2.createBackgroundSubtractorMOG2),
    "knn": lambda: Statistical(cv2.createBackgroundSubtractorKNN),
    "absdiff": Difference,
}


@dataclass(frozen=True)
class SubtractorJob:
    """One of SUBTRACTORS at (height, width), on pickled samples."""

    name: str
    imgsz: tuple[int, int]
    threads: int
    samples: Path

    @property
    def brief(self) -> bool:
        return False

    def open(self) -> SubtractorWorker:
        return SubtractorWorker(self)


class SubtractorWorker:
    """Shows a subtractor the scenes and their frames."""

    def __init__(self, job: SubtractorJob) -> None:
        cv2.setNumThreads(job.threads)
        self.job = job
        self.samples = load_samples(job.samples)
        self.peer = SUBTRACTORS[job.name]()
        self.scene, self.at = "", 0

    def describe(self) -> dict[str, Any]:
        height, width = self.job.imgsz
        return {
            "name": f"{self.job.name}-{width}x{height}",
            "runtime": "opencv",
            "precision": "uint8",
            "imgsz": [height, width],
        }

    @cached_property
    def _pictures(self) -> list[tuple[Image, Image]]:
        return [(self._fit(s.bg), self._fit(s.fg_bg)) for _, s in self.samples]

    def _fit(self, picture: Image) -> Image:
        size = self.job.imgsz[::-1]
        return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)

    def accuracy(self, reference: bool) -> dict[str, dict[str, float]]:
        """A subtractor learns each empty scene, as a build is given it; what it calls shadow is
        background."""

        def found(index: int, name: str, sample: Sample) -> npt.NDArray[np.float32]:
            if name != self.scene:
                self.peer.learn(self._fit(sample.bg))
                self.scene = name
            mask = self.peer.apply(self._fit(sample.fg_bg))
            return np.asarray(mask == 255, np.float32)

        return {"mask": mask_scores(self.samples, found)}

    def frames(self, count: int) -> dict[str, list[float]]:
        times: dict[str, list[float]] = {"preprocess": [], "latency": []}
        for _ in range(count):
            name, _ = self.samples[self.at]
            bg, frame = self._pictures[self.at]
            self.at = (self.at + 1) % len(self.samples)
            if name != self.scene:
                self.peer.learn(bg)
                self.scene = name
            start = time.perf_counter()
            self.peer.apply(frame)
            times["preprocess"].append(0.0)
            times["latency"].append(1e3 * (time.perf_counter() - start))
        return times


RUNS = (("onnxruntime", "fp32"), ("openvino", "fp32"), ("openvino", "bf16"))
"""What an ONNX file is run in, so that it can be compared in its best."""


@dataclass(frozen=True)
class OnnxJob:
    """An ONNX file of the user's in a runtime and precision, on pickled samples."""

    model: Path
    runtime: str
    precision: str
    threads: int
    samples: Path

    @property
    def brief(self) -> bool:
        return False

    def open(self) -> OnnxWorker:
        return OnnxWorker(self)


class OnnxWorker:
    """Runs a foreign network. What its outputs mean is not known, so only its time is measured."""

    def __init__(self, job: OnnxJob) -> None:
        cv2.setNumThreads(1)
        self.job = job
        self.samples = load_samples(job.samples)
        self.at = 0
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
                f"--peer {job.model}: no input takes a picture; found {shapes}, expected"
                " [1, 3, H, W] or [1, H, W, 3] of fixed size"
            )
        self.imgsz = layouts[0][:2]

    def describe(self) -> dict[str, Any]:
        return {
            "name": f"{self.job.model.stem} ({self.job.runtime} {self.job.precision})",
            "runtime": self.job.runtime,
            "precision": self.job.precision,
            "imgsz": list(self.imgsz),
            "path": str(self.job.model),
        }

    def _feeds(self, sample: Sample) -> dict[str, npt.NDArray[Any]]:
        """Pictures for what takes pictures (bg where its name says so), zeros for the rest."""
        feeds = {}
        for name, (shape, dtype) in self.inputs.items():
            found = _layout(shape)
            if found is None:
                feeds[name] = np.zeros(shape, dtype)
                continue
            height, width, first = found
            picture = sample.bg if name in ("bg", "bgr", "background") else sample.fg_bg
            value = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)[None]
            value = np.ascontiguousarray(value.transpose(0, 3, 1, 2) if first else value)
            whole = np.issubdtype(dtype, np.integer)
            feeds[name] = value.astype(dtype) if whole else (value / 255).astype(dtype)
        return feeds

    def accuracy(self, reference: bool) -> dict[str, dict[str, float]]:
        return {}

    def frames(self, count: int) -> dict[str, list[float]]:
        times: dict[str, list[float]] = {"preprocess": [], "latency": []}
        for _ in range(count):
            sample = self.samples[self.at][1]
            self.at = (self.at + 1) % len(self.samples)
            start = time.perf_counter()
            feeds = self._feeds(sample)
            middle = time.perf_counter()
            self.run(feeds)
            end = time.perf_counter()
            times["preprocess"].append(1e3 * (middle - start))
            times["latency"].append(1e3 * (end - middle))
        return times


Feeds = dict[str, npt.NDArray[Any]]
Inputs = dict[str, tuple[list[int], Any]]
Opened = tuple[Inputs, Callable[[Feeds], object]]


def _layout(shape: list[int]) -> tuple[int, int, bool] | None:
    """(height, width, channels first) of an input that takes one picture, else None."""
    if len(shape) != 4 or shape[0] != 1:
        return None
    if shape[1] == 3:
        return shape[2], shape[3], True
    return (shape[1], shape[2], False) if shape[3] == 3 else None


def _onnxruntime(job: OnnxJob) -> Opened:
    from edge.runtime.onnxruntime import session

    made = session(job.model.read_bytes(), job.threads)
    kinds = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
    inputs = {
        value.name: (
            [side if isinstance(side, int) else 1 for side in value.shape],
            kinds.get(value.type, np.int64),
        )
        for value in made.get_inputs()
    }
    return inputs, lambda feeds: made.run(None, feeds)


def _openvino(job: OnnxJob) -> Opened:
    from edge.runtime.openvino import compiled, ov
    from edge.targets.openvino import HINTS

    core = ov.Core()
    model = core.read_model(job.model)
    ready = compiled(model, job.threads, HINTS[job.precision], core)
    request = ready.create_infer_request()
    inputs = {
        value.any_name: (
            [side.get_length() if side.is_static else 1 for side in value.partial_shape],
            value.element_type.to_dtype(),
        )
        for value in ready.inputs
    }
    return inputs, lambda feeds: request.infer(feeds, share_inputs=True, share_outputs=True)
