"""Run the frame graph on samples and record the values of every tensor in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from edge.calibrate.methods import Histogram
from edge.graph.fold import Split
from edge.samples.sample import Sample

BINS = 2048
Values = dict[str, npt.NDArray[np.float32]]


def _floats(frame: onnx.ModelProto) -> list[str]:
    """Names of the float tensors that nodes of the frame graph give."""
    inferred = onnx.shape_inference.infer_shapes(frame)
    kinds = {
        value.name: value.type.tensor_type.elem_type
        for value in (*inferred.graph.value_info, *inferred.graph.output)
    }
    made = [name for node in frame.graph.node for name in node.output]
    return [name for name in made if kinds.get(name) == TensorProto.FLOAT]


def _before_weights(frame: onnx.ModelProto) -> set[str]:
    """Tensors that come from the picture without any layer between: their range is known."""
    weights = {w.name for w in frame.graph.initializer if len(w.dims) > 1}
    scene = {value.name for value in frame.graph.input} - {"fg_bg", "bg"}
    mixed: set[str] = weights | scene
    plain: set[str] = set()
    for node in frame.graph.node:
        target = mixed if any(name in mixed for name in node.input) else plain
        target.update(node.output)
    return plain


class Observer:
    """The two graphs with every float tensor of the frame graph as an output."""

    def __init__(self, split: Split, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads

        def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
            return onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )

        watched = onnx.ModelProto.FromString(split.frame.SerializeToString())
        self.names = _floats(split.frame)
        del watched.graph.output[:]
        watched.graph.output.extend(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self.names
        )
        self._frame = session(watched)
        self._takes = [value.name for value in self._frame.get_inputs()]
        self._background = None if split.background is None else session(split.background)
        self._scene = list(split.scene)
        self.plain = _before_weights(split.frame)
        self._last: tuple[int, Values] = (0, {})

    def values(self, bg: npt.NDArray[np.uint8], fg_bg: npt.NDArray[np.uint8]) -> Values:
        """Every float tensor, and the scene tensors, for one pair of uint8 [H, W, 3]."""
        scene: Values = {}
        if self._background is not None:
            if self._last[0] != id(bg):
                found = self._background.run(self._scene, {"bg": bg[None]})
                self._last = (id(bg), dict(zip(self._scene, found, strict=True)))
            scene = self._last[1]
        feeds = {"fg_bg": fg_bg[None], "bg": bg[None], **scene}
        found = self._frame.run(self.names, {name: feeds[name] for name in self._takes})
        return {**scene, **dict(zip(self.names, found, strict=True))}


def _pictures(
    samples: Sequence[Sample],
) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]:
    yield from ((sample.bg, sample.fg_bg) for sample in samples)


def passes(shape: bool) -> int:
    """How often `histograms` runs the samples: the bins need the extremes first."""
    return 2 if shape else 1


def histograms(
    split: Split,
    samples: Sequence[Sample],
    threads: int,
    shape: bool,
    watch: Iterable[None] = (),
) -> dict[str, Histogram]:
    """A histogram of every float tensor over the samples, which must have the graph's size.

    shape: False for the extremes alone, in half the time; then the histograms have no bins.
    Tensors that hold the bare picture get the range that pictures can have, whatever these samples
    happened to hold.
    watch: advanced once per sample and pass (a progress bar).
    """
    observer = Observer(split, threads)
    low: dict[str, float] = {}
    high: dict[str, float] = {}

    def widen(name: str, value: npt.NDArray[np.float32]) -> None:
        low[name] = min(low.get(name, np.inf), float(value.min()))
        high[name] = max(high.get(name, -np.inf), float(value.max()))

    ticks = iter(watch)
    for bg, fg_bg in _pictures(samples):
        for name, value in observer.values(bg, fg_bg).items():
            widen(name, value)
        next(ticks, None)
    size = samples[0].bg.shape
    for level in (0, 255):
        flat = np.full(size, level, np.uint8)
        for name, value in observer.values(flat, flat).items():
            if name in observer.plain:
                widen(name, value)

    counts = {name: np.zeros(BINS if shape else 0, np.int64) for name in low}
    for bg, fg_bg in _pictures(samples) if shape else ():
        for name, value in observer.values(bg, fg_bg).items():
            width = (high[name] - low[name]) / BINS or 1.0
            bins = ((value.ravel() - np.float32(low[name])) / np.float32(width)).astype(np.int32)
            counts[name] += np.bincount(np.minimum(bins, BINS - 1), minlength=BINS)
        next(ticks, None)
    return {name: Histogram(low[name], max(high[name], low[name]), counts[name]) for name in low}
