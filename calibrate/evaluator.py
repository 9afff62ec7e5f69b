"""The accuracy that a quantized frame graph loses against the float one, on labelled samples.

A graph is built and opened as any build, so that a judge sees what `edge bench` and `edge run` will
see. Where the target does not run on this machine, the graph runs in exact arithmetic instead: ONNX
Runtime with its optimiser off computes Q/DQ nodes as they are written.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx

import edge
from edge.accuracy import THRESHOLD, MaskCounts, count_mask, depth_scores, mean_mask_scores, means
from edge.builder.plan import Plan
from edge.builder.write import write_build
from edge.errors import EdgeError
from edge.graph.fold import Split
from edge.runtime.cores import usable_cores
from edge.samples.sample import Sample, resize_sample
from edge.targets import Run, Target

Scores = dict[str, float]
"""iou of the mask, mean over sequences, and delta1 of the depth, mean over samples; an output that
the network lacks has no score."""


def exact(model: onnx.ModelProto) -> Run:
    """Open the graph in ONNX Runtime with the optimiser off.

    Raises:
        EdgeError: ONNX Runtime has no implementation of an operator, or refuses the graph.
    """
    from edge.runtime.ort import ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = usable_cores()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's errors share no other base class
        reason = str(error).strip().splitlines()[0].rpartition(" : ")[2]
        raise EdgeError(f"ONNX Runtime cannot run the network: {reason}") from error
    inputs = [value.name for value in session.get_inputs()]
    return lambda names, feeds: session.run(list(names), {key: feeds[key] for key in inputs})


def arithmetic(target: Target) -> str:
    """How graphs for a target are judged on this machine, for people."""
    if target.runs_here():
        return f"in {target.name} on this machine"
    return f"in exact arithmetic, because {target.name} does not run here"


class Evaluator:
    """Labelled samples, and the scores that builds have on them.

    Where a sample has no depth, the float graph's depth stands for the truth.

    Args:
        float_build: The float network, for the target that its int8 graphs are for.
        samples: (sequence, sample).

    Attributes:
        samples: (sequence, sample).
        target: Of the float build.
        here: Whether the target runs on this machine.
        arithmetic: How graphs are computed, for people.
        reference: Scores of the float graph.
    """

    def __init__(self, float_build: Plan, samples: Sequence[tuple[str, Sample]]) -> None:
        if not samples:
            raise EdgeError("no samples to evaluate on")
        self.samples = list(samples)
        self.target = float_build.target
        self.here = self.target.runs_here()
        self.arithmetic = arithmetic(self.target)
        self._images = [resize_sample(sample, *float_build.imgsz) for _, sample in self.samples]
        self._depths: list[Any] = [sample.depth for _, sample in self.samples]
        self.reference = self.scores(replace(float_build, frame=float_build.split.frame))
        if not self.reference:
            raise EdgeError(
                "the samples prove nothing: no foreground, and the network gives no depth",
                "give labelled samples with foreground",
            )

    def scores(self, plan: Plan) -> Scores:
        """Score a build that has the float network's inputs and outputs."""
        counts: dict[str, MaskCounts] = {}
        depths = []
        answers = self._built(plan) if self.here else self._exact(plan)
        for index, ((name, sample), planes) in enumerate(zip(self.samples, answers, strict=True)):
            if "mask" in planes:
                mask = cv2.resize(planes["mask"], sample.mask.shape[::-1])
                detected = np.asarray(mask) >= THRESHOLD
                counts[name] = counts.get(name, MaskCounts()) + count_mask(detected, sample.mask)
            if "depth" in planes:
                if self._depths[index] is None:
                    self._depths[index] = planes["depth"].copy()
                truth = self._depths[index]
                depth = np.asarray(cv2.resize(planes["depth"], truth.shape[::-1]))
                depths.append(depth_scores(depth, truth))
        scores = {}
        if mask_scores := mean_mask_scores(counts.values()):
            scores["iou"] = mask_scores["iou"]
        if depth_means := means(depths):
            scores["delta1"] = depth_means["delta1"]
        return scores

    def drop(self, plan: Plan) -> Scores:
        """The float graph's scores minus those of a build; below zero is better."""
        scores = self.scores(plan)
        return {key: value - scores[key] for key, value in self.reference.items() if key in scores}

    def _built(self, plan: Plan) -> Iterator[dict[str, Any]]:
        """The outputs for each sample, views until the next but one."""
        with tempfile.TemporaryDirectory(prefix="edge-judge-") as folder:
            place = Path(folder) / "build"
            write_build(replace(plan, uint8_outputs=False), place)
            with edge.open(place) as h:
                shown = None
                for (name, _), image in zip(self.samples, self._images, strict=True):
                    if name != shown:
                        edge.set_background(h, image.bg, image.spread)
                        shown = name
                    planes = zip(("mask", "depth"), edge.infer(h, image.fg_bg), strict=True)
                    yield {key: plane for key, plane in planes if plane is not None}

    def _exact(self, plan: Plan) -> Iterator[dict[str, Any]]:
        names = [value.name for value in plan.frame.graph.output]
        run = exact(plan.frame)
        for feeds in self.feeds(plan.split):
            yield {key: value[0, 0] for key, value in zip(names, run(names, feeds), strict=True)}

    def feeds(self, split: Split) -> Iterator[dict[str, Any]]:
        """Inputs of the frame graph by name, for each sample."""
        background = exact(split.background) if split.background else None
        shown, scene = None, {}
        for (name, _), image in zip(self.samples, self._images, strict=True):
            images = image.inputs()
            if background is not None and name != shown:
                scene = dict(zip(split.scene, background(split.scene, images), strict=True))
                shown = name
            yield images | scene
