from __future__ import annotations

from dataclasses import replace

import pytest

from edge.benchmarks.reporting.gates import all_losses, check_drop, check_fps, check_undisturbed
from edge.benchmarks.reporting.report import Report
from edge.errors import AccuracyGateMissed, SpeedGateMissed, Untrustworthy

from .by_hand import INT8, REPORT


def test_a_gate_names_the_build_and_the_score(report: Report) -> None:
    check_drop(report, 1.0)
    with pytest.raises(AccuracyGateMissed, match=r"^net-\S+ loses \w+: .* allowed is -2"):
        check_drop(report, -2)
    check_fps(report, 0.1)
    with pytest.raises(SpeedGateMissed, match=r"^net-int8-\S+ runs at .* fps, asked are 1e\+09"):
        check_fps(report, 1e9)


def test_a_gate_cannot_be_passed_without_foreground(report: Report) -> None:
    empty = replace(report, samples=replace(report.samples, with_foreground=0))
    with pytest.raises(AccuracyGateMissed, match=r"samples rendered:6:4 have no foreground"):
        check_drop(empty, 1.0)


def test_a_disturbed_report_is_not_trustworthy(report: Report) -> None:
    check_undisturbed(replace(report, watch=replace(report.watch, disturbed="")))
    with pytest.raises(Untrustworthy, match="other processes"):
        check_undisturbed(replace(report, watch=replace(report.watch, disturbed="other processes")))


def test_what_each_build_lost_and_the_most_of_it() -> None:
    """Of figures that are known: 0.02 IoU is the most, and what was gained is no loss."""
    assert [each for each in all_losses(REPORT) if each[1] == INT8] == [
        (0.02, INT8, "iou"),
        (0.01, INT8, "f_measure"),
        (-0.005, INT8, "delta1"),
    ]
    check_drop(REPORT, 0.02)
    with pytest.raises(AccuracyGateMissed, match=f"^{INT8} loses iou: 0.0200, allowed is 0.0199"):
        check_drop(REPORT, 0.0199)
    check_fps(REPORT, 500)
    with pytest.raises(SpeedGateMissed, match=f"^{INT8} runs at 500 fps, asked are 500.1"):
        check_fps(REPORT, 500.1)  # of the builds that were given, not of their FP32
