"""The accuracy that a quantized frame graph loses against the float one, on labelled samples.

The graphs run in ONNX Runtime with its optimiser off, which computes Q/DQ nodes exactly as they are
written, for every target; no GPU is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import onnx

from edge.accuracy import THRESHOLD, MaskCounts, count_mask, depth_scores, mean_mask_scores, means
from edge.errors import EdgeError
from edge.graph.fold import Split
from edge.samples.sample import Sample, resize_sample

Scores = dict[str, float]
"""iou of the mask, mean over sequences, and delta1 of the depth, mean over samples; an output that
the network lacks has no score."""


def exact_session(model: onnx.ModelProto, threads: int) -> Any:
    """Open the graph in ONNX Runtime with the optimiser off.

    Raises:
        EdgeError: ONNX Runtime has no implementation of an operator, or refuses the graph.
    """
    from edge.runtime.ort import ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's errors share no other base class
        reason = str(error).strip().splitlines()[0].rpartition(" : ")[2]
        raise EdgeError(f"ONNX Runtime cannot run the network: {reason}") from error


class Evaluator:
    """Labelled samples, and the scene tensors that the background graph computes for them.

    Where a sample has no depth, the float graph's depth stands for the truth.

    Attributes:
        samples: (sequence, sample).
        feeds: Inputs of a frame graph by name, one dictionary per sample.
        reference: Scores of the float graph.
    """

    def __init__(
        self,
        split: Split,
        samples: Sequence[tuple[str, Sample]],
        size: tuple[int, int],
        threads: int,
    ) -> None:
        if not samples:
            raise EdgeError("no samples to evaluate on")
        self.threads = threads
        self.samples = list(samples)
        self.feeds: list[dict[str, Any]] = []
        scenes: dict[str, dict[str, Any]] = {}
        background = exact_session(split.background, threads) if split.background else None
        for name, sample in self.samples:
            small = resize_sample(sample, *size)
            if background is not None and name not in scenes:
                tensors = background.run(list(split.scene), {"bg": small.bg[None]})
                scenes[name] = dict(zip(split.scene, tensors, strict=True))
            self.feeds.append(
                {"fg_bg": small.fg_bg[None], "bg": small.bg[None], **scenes.get(name, {})}
            )
        self._depths: list[Any] = [sample.depth for _, sample in self.samples]
        self.reference = self.scores(split.frame)
        if not self.reference:
            raise EdgeError(
                "the samples prove nothing: no foreground, and the network gives no depth",
                "give labelled samples with foreground",
            )

    def scores(self, frame: onnx.ModelProto) -> Scores:
        """Score a frame graph that has the float graph's inputs and outputs."""
        session = exact_session(frame, self.threads)
        inputs = [value.name for value in session.get_inputs()]
        outputs = [value.name for value in session.get_outputs()]
        counts: dict[str, MaskCounts] = {}
        depths = []
        for index, (name, sample) in enumerate(self.samples):
            feeds = self.feeds[index]
            results = session.run(outputs, {key: feeds[key] for key in inputs})
            planes = {
                key: np.asarray(value)[0, 0] for key, value in zip(outputs, results, strict=True)
            }
            if "mask" in planes:
                mask = cv2.resize(planes["mask"], sample.mask.shape[::-1])
                detected = np.asarray(mask) >= THRESHOLD
                counts[name] = counts.get(name, MaskCounts()) + count_mask(detected, sample.mask)
            if "depth" in planes:
                if self._depths[index] is None:
                    self._depths[index] = planes["depth"]
                truth = self._depths[index]
                depth = np.asarray(cv2.resize(planes["depth"], truth.shape[::-1]))
                depths.append(depth_scores(depth, truth))
        scores = {}
        if mask_scores := mean_mask_scores(counts.values()):
            scores["iou"] = mask_scores["iou"]
        if depths:
            scores["delta1"] = means(depths)["delta1"]
        return scores

    def drop(self, frame: onnx.ModelProto) -> Scores:
        """The float graph's scores minus those of `frame`; below zero is better."""
        scores = self.scores(frame)
        return {key: value - scores[key] for key, value in self.reference.items() if key in scores}
