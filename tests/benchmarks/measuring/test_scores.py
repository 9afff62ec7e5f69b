from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge.accuracy import MaskCounts
from edge.benchmarks.measuring.samples import mean_scores
from edge.benchmarks.measuring.scores import accuracy, drop
from edge.benchmarks.reporting.report import DepthScores, MaskScores, Scores
from edge.samples.sample import FOREGROUND, Sample


def test_a_drop_is_positive_where_something_was_lost() -> None:
    reference = Scores(MaskScores(0.9, 0.95, 0.9, 0.9), DepthScores(0.1, 0.2, 0.8))
    worse = Scores(MaskScores(0.8, 0.95, 0.9, 0.9), DepthScores(0.3, 0.2, 0.9))
    lost = drop(worse, reference)
    assert lost.mask and lost.mask.iou == pytest.approx(0.1)
    assert lost.depth and vars(lost.depth) == pytest.approx(
        {"abs_rel": 0.2, "rmse": 0.0, "delta1": -0.1}
    )


def test_what_has_no_score_loses_nothing() -> None:
    unknown = MaskScores(None, None, None, None)
    lost = drop(Scores(unknown), Scores(MaskScores(0.9, 0.9, 0.9, 0.9)))
    assert lost == Scores(unknown)
    assert drop(Scores(), Scores()) == Scores()


def test_sequences_of_nothing_against_nothing_are_not_scored() -> None:
    empty, half = MaskCounts(tn=100), MaskCounts(tp=10, fn=10, tn=80)
    assert mean_scores([empty]) == MaskScores(None, None, None, None)
    assert mean_scores([empty, half]).iou == 0.5
    assert mean_scores([MaskCounts(fp=1, tn=99), half]).iou == 0.25  # a false alarm counts


def worker(tmp_path: Path, depths: list[np.ndarray | None], answer: np.ndarray) -> Any:
    """One that answers each sample alike; `depths` are those of its samples."""
    samples = [
        ("a", Sample(str(i), np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6, 3), np.uint8),
                     np.full((4, 6), FOREGROUND, np.uint8), depth, depth_is_true=True))
        for i, depth in enumerate(depths)
    ]  # fmt: skip
    mask = np.ones((4, 6), np.float32)
    job = SimpleNamespace(depths=tmp_path)
    return SimpleNamespace(samples=samples, job=job, answer=lambda name, sample: (mask, answer))


def test_depth_is_scored_against_the_samples_that_have_one(tmp_path: Path) -> None:
    ramp = np.linspace(0.1, 1, 24, dtype=np.float32).reshape(4, 6)
    scores = accuracy(worker(tmp_path, [ramp, None], ramp), reference=True)
    assert scores.mask == MaskScores(1.0, 1.0, 1.0, 1.0)
    assert scores.depth and scores.depth.delta1 == 1.0 and scores.depth.abs_rel < 1e-3
    assert not list(tmp_path.iterdir())


def test_where_no_sample_has_a_depth_the_reference_keeps_its_own_for_the_others(
    tmp_path: Path,
) -> None:
    ramp = np.linspace(0.1, 1, 24, dtype=np.float32).reshape(4, 6)
    assert accuracy(worker(tmp_path, [None, None], ramp), reference=True).depth is None
    assert len(list(tmp_path.iterdir())) == 2
    same = accuracy(worker(tmp_path, [None, None], ramp), reference=False)
    other = accuracy(worker(tmp_path, [None, None], ramp[:, ::-1] ** 2), reference=False)
    assert same.depth and same.depth.abs_rel < 1e-3
    assert other.depth and other.depth.abs_rel > 0.1
