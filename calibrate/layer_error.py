"""The error of a quantized graph against the float one, tensor by tensor, on real frames."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from edge.calibrate.evaluator import Evaluator, exact_session
from edge.calibrate.qdq import LAYERS

SHOWN = (*LAYERS, "Add", "Sigmoid")
"""Nodes whose results are compared: layers with weights, the sums of skips, the outputs."""
Tensors = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class LayerError:
    """snr_db: power of the float tensor over that of the difference, in decibels, over all samples
    (inf: equal); cosine: of the angle between both; before_db: the lowest snr_db of the layer's
    inputs (inf: exact)."""

    name: str
    op: str
    snr_db: float
    cosine: float
    before_db: float

    @property
    def fall_db(self) -> float:
        """Decibels lost in this layer; an exact tensor counts as EIGHT_BITS_DB."""
        return min(self.before_db, EIGHT_BITS_DB) - self.snr_db


EIGHT_BITS_DB = 40.0
"""About the SNR of rounding a tensor that fills its range to 8 bits (a uniform error)."""


def worst(layers: list[LayerError]) -> LayerError:
    """The layer in which the error grows most."""
    return max(layers, key=lambda layer: layer.fall_db)


def _shown(frame: onnx.ModelProto) -> dict[str, onnx.NodeProto]:
    """Tensor to the node that makes it, for those that are compared, in the graph's order."""
    given = {value.name for value in frame.graph.output}
    return {
        node.output[0]: node
        for node in frame.graph.node
        if node.op_type in SHOWN or node.output[0] in given
    }


def tensors(
    frame: onnx.ModelProto,
    names: list[str],
    evaluator: Evaluator,
    background: onnx.ModelProto | None = None,
) -> Iterator[Tensors]:
    """Yield the tensors of those names for each of the evaluator's samples.

    background: gives the scene tensors in the form in which `frame` takes them; None where that is
        the evaluator's own.
    """
    opened = onnx.ModelProto()
    opened.CopyFrom(frame)
    given = {value.name for value in frame.graph.output}
    opened.graph.output.extend(
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        for name in names
        if name not in given
    )
    session = exact_session(opened, evaluator.threads)
    inputs = [value.name for value in session.get_inputs()]
    first = exact_session(background, evaluator.threads) if background else None
    scenes: dict[str, Tensors] = {}
    for (scene, _), feeds in zip(evaluator.samples, evaluator.feeds, strict=True):
        if first is not None and scene not in scenes:
            given_by = [output.name for output in first.get_outputs()]
            scene_tensors = first.run(given_by, {"bg": feeds["bg"]})
            scenes[scene] = dict(zip(given_by, scene_tensors, strict=True))
        feeds = feeds | scenes.get(scene, {})
        values = session.run(names, {key: feeds[key] for key in inputs})
        yield dict(zip(names, (np.asarray(value, np.float32) for value in values), strict=True))


def compare_tensors(
    reference: onnx.ModelProto,
    frame: onnx.ModelProto,
    evaluator: Evaluator,
    background: onnx.ModelProto | None = None,
) -> Iterator[tuple[Tensors, Tensors]]:
    """Yield the compared tensors of the float and of the quantized graph, one pair per sample.

    background: of the quantized graph, as `tensors` takes it.
    """
    made = {name for node in frame.graph.node for name in node.output}
    names = [name for name in _shown(reference) if name in made]
    yield from zip(
        tensors(reference, names, evaluator),
        tensors(frame, names, evaluator, background),
        strict=True,
    )


class Differences:
    """Sums over samples, from which each layer's figures follow."""

    def __init__(self, reference: onnx.ModelProto) -> None:
        self._reference = reference
        self._sums: dict[str, npt.NDArray[np.float64]] = {}

    def add(self, exact: Tensors, quantized: Tensors) -> None:
        for name, tensor in exact.items():
            a = tensor.astype(np.float64).ravel()
            b = quantized[name].astype(np.float64).ravel()
            sums = np.array([a @ a, b @ b, a @ b, (a - b) @ (a - b)])
            self._sums[name] = self._sums.get(name, np.zeros(4)) + sums

    def layers(self) -> list[LayerError]:
        """In the order of the graph."""
        before: dict[str, float] = {}
        errors = []
        for node in self._reference.graph.node:
            reads = min((before.get(name, math.inf) for name in node.input), default=math.inf)
            if node.output[0] not in self._sums:
                before |= dict.fromkeys(node.output, reads)
                continue
            power, other, product, error = self._sums[node.output[0]]
            snr = 10 * math.log10(power / error) if error > 0 and power > 0 else math.inf
            angle = product / math.sqrt(power * other) if power > 0 and other > 0 else 1.0
            errors.append(LayerError(node.name, node.op_type, snr, float(angle), reads))
            before |= dict.fromkeys(node.output, snr)
        return errors
