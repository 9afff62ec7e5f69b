"""Run the frame graph on samples and record the values of every tensor in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from edge.calibrate.methods import Histogram
from edge.graph.dependencies import IMAGES
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
    """Tensors computed from the image without a layer in between: their range is known."""
    weights = {w.name for w in frame.graph.initializer if len(w.dims) > 1}
    scene = {value.name for value in frame.graph.input}.difference(IMAGES)
    weighted: set[str] = weights | scene
    plain: set[str] = set()
    for node in frame.graph.node:
        group = weighted if any(name in weighted for name in node.input) else plain
        group.update(node.output)
    return plain


class Observer:
    """The two graphs with every float tensor of the frame graph as an output."""

    def __init__(self, split: Split, threads: int) -> None:
        from edge.runtime.ort import ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads

        def session(model: onnx.ModelProto) -> ort.InferenceSession:
            return ort.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )

        watched = onnx.ModelProto.FromString(split.frame.SerializeToString())
        self.names = _floats(split.frame)
        del watched.graph.output[:]
        watched.graph.output.extend(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self.names
        )
        self._frame = session(watched)
        self._inputs = [value.name for value in self._frame.get_inputs()]
        self._background = None if split.background is None else session(split.background)
        self._scene = list(split.scene)
        self.plain = _before_weights(split.frame)
        graph = None if split.background is None else split.background.graph
        self._scene_inputs = [] if graph is None else [value.name for value in graph.input]
        self._shown: list[npt.NDArray[np.uint8]] = []
        self._scene_values: Values = {}

    def values(self, sample: Sample) -> Values:
        """Every float tensor, and the scene tensors, for a sample."""
        images = sample.inputs()
        if self._background is not None:
            read = {name: images[name] for name in self._scene_inputs}
            if not self._shown or not all(map(np.array_equal, self._shown, read.values())):
                tensors = self._background.run(self._scene, read)
                self._scene_values = dict(zip(self._scene, tensors, strict=True))
                self._shown = list(read.values())
        scene = self._scene_values
        feeds = {**images, **scene}
        tensors = self._frame.run(self.names, {name: feeds[name] for name in self._inputs})
        return {**scene, **dict(zip(self.names, tensors, strict=True))}


def passes(needs_bins: bool) -> int:
    """How often `histograms` runs the samples: bins need the extremes first."""
    return 2 if needs_bins else 1


def histograms(
    split: Split,
    samples: Sequence[Sample],
    threads: int,
    needs_bins: bool,
    watch: Iterable[None] = (),
) -> dict[str, Histogram]:
    """Record a histogram of every float tensor over samples of the graph's size.

    Tensors that hold the plain image get the range that images can have, whatever these samples
    hold.

    Args:
        split: The float graphs.
        samples: At least one; consecutive samples of one scene run the background graph once.
        threads: Of ONNX Runtime.
        needs_bins: False records the extremes alone, in half the time, without bins.
        watch: Advanced once per sample and pass (a progress bar).
    """
    observer = Observer(split, threads)
    low: dict[str, float] = {}
    high: dict[str, float] = {}

    def widen(name: str, value: npt.NDArray[np.float32]) -> None:
        low[name] = min(low.get(name, np.inf), float(value.min()))
        high[name] = max(high.get(name, -np.inf), float(value.max()))

    ticks = iter(watch)
    for sample in samples:
        for name, value in observer.values(sample).items():
            widen(name, value)
        next(ticks, None)
    for level in (0, 255):
        flat = np.full_like(samples[0].bg, level)
        whole = Sample("flat", flat, flat, flat[..., 0], spread=flat)
        for name, value in observer.values(whole).items():
            if name in observer.plain:
                widen(name, value)

    counts = {name: np.zeros(BINS if needs_bins else 0, np.int64) for name in low}
    for sample in samples if needs_bins else ():
        for name, value in observer.values(sample).items():
            width = (high[name] - low[name]) / BINS or 1.0
            bins = ((value.ravel() - np.float32(low[name])) / np.float32(width)).astype(np.int32)
            counts[name] += np.bincount(np.minimum(bins, BINS - 1), minlength=BINS)
        next(ticks, None)
    return {name: Histogram(low[name], max(high[name], low[name]), counts[name]) for name in low}
