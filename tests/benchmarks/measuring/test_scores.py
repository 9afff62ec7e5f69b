from __future__ import annotations

import pytest

from edge.accuracy import MaskCounts
from edge.benchmarks.measuring.samples import mean_scores
from edge.benchmarks.measuring.scores import drop
from edge.benchmarks.reporting.report import DepthScores, MaskScores, Scores


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
