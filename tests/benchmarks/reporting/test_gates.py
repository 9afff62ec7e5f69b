from __future__ import annotations

from dataclasses import replace

import pytest

from edge.benchmarks.reporting.gates import check_drop, check_fps, check_undisturbed
from edge.benchmarks.reporting.report import Report
from edge.errors import AccuracyGateMissed, SpeedGateMissed, Untrustworthy


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
