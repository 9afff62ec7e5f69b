from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edge.benchmarks.reporting.compare import compare
from edge.benchmarks.reporting.report import LatencySummary, Report
from edge.errors import UsageError


def with_latency(report: Report, factor: float) -> Report:
    """The report with a median of `factor` milliseconds everywhere."""

    def latency(summary: LatencySummary) -> LatencySummary:
        interval = (0.95 * factor, 1.05 * factor)
        return replace(summary, p50=factor, p50_interval=interval)

    builds = tuple(replace(e, latency_ms=latency(e.latency_ms)) for e in report.builds)
    return replace(report, builds=builds)


@pytest.fixture
def old(report: Report) -> Report:
    """The report as of a quiet machine, with known medians."""
    watch = replace(report.watch, disturbed="", mhz=(2000.0, 2000.0))
    return replace(with_latency(report, 1.0), watch=watch)


@pytest.mark.parametrize(
    ("factor", "word"), [(0.8, "better"), (1.2, "worse"), (1.04, "undecided: the intervals")]
)
def test_verdicts(factor: float, word: str, old: Report) -> None:
    verdicts = compare(old, with_latency(old, factor))
    assert [v.name for v in verdicts] == [entry.name for entry in old.folded]
    assert all(v.verdict.startswith(word) for v in verdicts)
    assert all(v.ratio == pytest.approx(factor) for v in verdicts)
    assert all(change == 0 for v in verdicts for change in v.scores.values())
    assert all(len(v.scores) == 3 for v in verdicts)


def test_a_disturbed_run_decides_nothing(old: Report) -> None:
    new = with_latency(old, 0.5)
    watch = replace(new.watch, disturbed="other processes took 40 % of the machine")
    verdicts = compare(old, replace(new, watch=watch))
    assert all(v.verdict.startswith("undecided: other") for v in verdicts)


def test_what_differs_is_not_compared(old: Report) -> None:
    machine, samples, watch = old.machine, old.samples, old.watch
    cases = (
        (replace(old, machine=replace(machine, processor="another")), "processor was .* 'another'"),
        (replace(old, machine=replace(machine, threads=7)), "threads was 1, is 7"),
        (replace(old, samples=replace(samples, place="hall/")), "was 'rendered:6:4', is 'hall'"),
        (replace(old, watch=replace(watch, mhz=(1e3, 3e3))), "clock was 2000 MHz, is 3000 MHz"),
    )
    for new, words in cases:
        with pytest.raises(UsageError, match=words):
            compare(old, new)


@pytest.mark.parametrize("place", ["hall", "hall/", "./hall", "there/../hall"])
def test_a_folder_is_the_same_however_it_is_written(place: str, old: Report) -> None:
    before, after = (replace(old, samples=replace(old.samples, place=p)) for p in ("hall", place))
    assert compare(before, after)


def test_no_build_in_both(old: Report) -> None:
    builds = tuple(replace(e, name=f"{e.name}-other") for e in old.builds)
    with pytest.raises(UsageError, match="no build is in both reports"):
        compare(old, replace(old, builds=builds))


def test_the_command(old: Report, tmp_path: Path) -> None:
    def edge(*words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "edge", "compare", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    a, b = tmp_path / "a.json", tmp_path / "b.json"
    a.write_text(json.dumps(old.to_json()))
    b.write_text(json.dumps(with_latency(old, 0.5).to_json()))
    done = edge(a, b)
    assert done.returncode == 0, done.stderr
    assert "0.500x the time: better; mask iou +0.0000" in done.stdout
    refused = edge(a, b, "--count", 4)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--count has no effect without --layers" in refused.stderr
    b.write_text("{}")
    assert edge(a, b).returncode == 2
    b.write_text(json.dumps(old.to_json() | {"schema": "edge.report/2"}))
    assert "of schema 'edge.report/2', expected 'edge.report/3'" in edge(a, b).stderr
    b.write_text(json.dumps({k: v for k, v in old.to_json().items() if k != "watch"}))
    assert "is damaged: .watch is missing" in edge(a, b).stderr
