"""What a quantized frame graph gives up against the float one, on labelled samples.

The graphs run in ONNX Runtime with its optimiser off, which computes Q/DQ nodes as they are written
whatever target they are for; so no GPU is needed to judge a graph for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import onnx

from edge.accuracy import THRESHOLD, MaskCounts, count_mask, depth_scores, means
from edge.errors import EdgeError
from edge.graph.fold import Split
from edge.samples.sample import Sample, resize_sample

Scores = dict[str, float]
"""iou of the mask, mean over sequences, and delta1 of the depth, mean over samples; what a network
does not give has no score."""


def session(model: onnx.ModelProto, threads: int) -> Any:
    """The graph as it is written: the optimiser is off."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


class Evaluator:
    """Samples, (sequence, sample), with what the background graph makes of their scenes.

    Where a sample has no depth, that of the float graph stands for the truth. feeds: what a frame
    graph takes, by name, one dictionary a sample.
    """

    def __init__(
        self,
        split: Split,
        samples: Sequence[tuple[str, Sample]],
        size: tuple[int, int],
        threads: int,
    ) -> None:
        if not samples:
            raise EdgeError("no samples to judge by")
        self.threads = threads
        self.samples = list(samples)
        self.feeds: list[dict[str, Any]] = []
        scenes: dict[str, dict[str, Any]] = {}
        background = session(split.background, threads) if split.background else None
        for name, sample in self.samples:
            small = resize_sample(sample, *size)
            if background is not None and name not in scenes:
                found = background.run(list(split.scene), {"bg": small.bg[None]})
                scenes[name] = dict(zip(split.scene, found, strict=True))
            self.feeds.append(
                {"fg_bg": small.fg_bg[None], "bg": small.bg[None], **scenes.get(name, {})}
            )
        self._depths: list[Any] = [sample.depth for _, sample in self.samples]
        self.base = self.scores(split.frame)

    def scores(self, frame: onnx.ModelProto) -> Scores:
        """Of a frame graph with the float graph's inputs and outputs."""
        run = session(frame, self.threads)
        takes = [value.name for value in run.get_inputs()]
        gives = [value.name for value in run.get_outputs()]
        counts: dict[str, MaskCounts] = {}
        depths = []
        for index, (name, sample) in enumerate(self.samples):
            feeds = self.feeds[index]
            outputs = run.run(gives, {key: feeds[key] for key in takes})
            found = {
                key: np.asarray(value)[0, 0] for key, value in zip(gives, outputs, strict=True)
            }
            size = sample.mask.shape[::-1]
            if "mask" in found:
                mask = np.asarray(cv2.resize(found["mask"], size)) >= THRESHOLD
                counts[name] = counts.get(name, MaskCounts()) + count_mask(mask, sample.mask)
            if "depth" in found:
                if self._depths[index] is None:
                    self._depths[index] = found["depth"]
                truth = self._depths[index]
                depth = np.asarray(cv2.resize(found["depth"], truth.shape[::-1]))
                depths.append(depth_scores(depth, truth))
        scores = {}
        if counts:
            scores["iou"] = means([count.scores() for count in counts.values()])["iou"]
        if depths:
            scores["delta1"] = means(depths)["delta1"]
        return scores

    def lost(self, frame: onnx.ModelProto) -> Scores:
        """The float graph's scores less those of `frame`; below zero is better."""
        return {key: self.base[key] - value for key, value in self.scores(frame).items()}
