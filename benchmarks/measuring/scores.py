"""Accuracy of a build: against labels, behind a gate, and between two takes of one frame."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

import edge
from edge.accuracy import THRESHOLD, depth_scores, means
from edge.benchmarks.measuring.build_worker import BuildWorker, as_float
from edge.benchmarks.measuring.samples import have_depth, score_masks
from edge.benchmarks.reporting.report import DepthScores, GateScores, MaskScores, Scores
from edge.calibrate.rendering.sensor import noise
from edge.samples.sample import Sample, evenly_spaced
from edge.scene.gate import Gate

FRAME_MS = 40.0
"""Time between two samples of a sequence, for the gate's largest age."""
NOISE_SIGMA = 2.0
"""Grey levels of sensor noise between two takes of a frame."""
FLICKER_SAMPLES = 16
LOWER_IS_BETTER = ("abs_rel", "rmse")
PERFECT_DEPTH = DepthScores(abs_rel=0.0, rmse=0.0, delta1=1.0)


def accuracy(worker: BuildWorker, reference: bool) -> Scores:
    """Score all samples.

    Where no sample has a depth, the scores are about that of the reference, which itself has none.
    Where some have one, the others are not scored.

    Args:
        worker: The build.
        reference: Whether it is the FP32 build that the others are compared with.
    """
    truth = have_depth(worker.samples)
    depths: list[dict[str, float] | None] = []

    def mask_of(index: int, name: str, sample: Sample) -> npt.NDArray[np.float32] | None:
        mask, depth = worker.answer(name, sample)
        if depth is None:
            return mask
        file = worker.job.depths / f"{index}.npy"
        if sample.depth is not None:
            height, width = sample.depth.shape
            full = cv2.resize(depth, (width, height), interpolation=cv2.INTER_LINEAR)
            depths.append(depth_scores(np.asarray(full), sample.depth))
        elif not truth and reference:
            np.save(file, depth)
        elif not truth:
            depths.append(depth_scores(depth, np.load(file)))
        return mask

    mask = score_masks(worker.samples, mask_of)
    mean = means(depths)
    if mean is None:
        return Scores(mask)
    return Scores(mask, DepthScores(mean["abs_rel"], mean["rmse"], mean["delta1"]))


def gated(worker: BuildWorker, level: float, max_age_ms: float) -> GateScores:
    """Skipped share and mask scores behind a gate, samples FRAME_MS apart."""
    gate = Gate(worker.h, level, max_age_ms)
    worker.scene = ""

    def mask_of(index: int, name: str, sample: Sample) -> npt.NDArray[np.float32] | None:
        if worker.show(name, sample):
            gate.reset()
        frame = edge.fit(worker.h, sample.fg_bg)
        return as_float(gate.infer(frame, FRAME_MS * index))[0]

    mask = score_masks(worker.samples, mask_of)
    return GateScores(level, max_age_ms, round(gate.skipped / gate.seen, 4), mask)


def flicker(worker: BuildWorker) -> float | None:
    """Share of pixels whose mask changes between two noisy takes of the same frame, mean over at
    most FLICKER_SAMPLES samples; None without a mask."""
    changed = []
    for index in evenly_spaced(worker.samples, FLICKER_SAMPLES):
        name, sample = worker.samples[index]
        worker.show(name, sample)
        rng = np.random.default_rng(index)
        takes = []
        for _ in range(2):
            take = edge.fit(worker.h, noise(sample.fg_bg, rng, NOISE_SIGMA))
            mask = as_float(edge.infer(worker.h, take))[0]
            if mask is None:
                return None
            takes.append(cv2.resize(mask, sample.mask.shape[::-1]) >= THRESHOLD)
        changed.append(float((takes[0] != takes[1]).mean()))
    return round(float(np.mean(changed)), 6)


def drop(scores: Scores, reference: Scores) -> Scores:
    """Return how much worse than the reference each score is; below zero is better.

    The depth of a reference without a depth score is the truth itself, and so perfect.
    """
    mask = depth = None
    if scores.mask is not None and reference.mask is not None:
        mask = MaskScores(
            **{key: _lost(scores.mask, reference.mask, key) for key in vars(scores.mask)}
        )
    if scores.depth is not None:
        base = reference.depth or PERFECT_DEPTH
        lost = {key: _lost(scores.depth, base, key) or 0.0 for key in vars(base)}
        depth = DepthScores(**lost)
    return Scores(mask, depth)


def _lost(
    scores: MaskScores | DepthScores, base: MaskScores | DepthScores, key: str
) -> float | None:
    value, expected = getattr(scores, key), getattr(base, key)
    if value is None or expected is None:
        return None
    # `+ 0.0`: a loss of nothing is 0.0, not -0.0.
    return float(round((value - expected) * (1 if key in LOWER_IS_BETTER else -1), 6) + 0.0)
