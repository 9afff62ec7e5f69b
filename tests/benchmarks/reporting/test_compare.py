from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from edge.benchmarks.measuring.samples import keep_samples
from edge.benchmarks.reporting.compare import compare
from edge.benchmarks.reporting.report import LatencySummary, Report
from edge.errors import UsageError
from edge.samples.sample import Sample


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
        (
            replace(old, samples=replace(samples, place="hall/", sha256="other")),
            "samples were 'rendered:6:4', are 'hall/'",
        ),
        (
            replace(old, samples=replace(samples, sha256="other")),
            "samples of 'rendered:6:4' have changed since",
        ),
        (replace(old, watch=replace(watch, mhz=(1e3, 3e3))), "clock was 2000 MHz, is 3000 MHz"),
    )
    for new, words in cases:
        with pytest.raises(UsageError, match=words):
            compare(old, new)


@pytest.mark.parametrize("place", ["hall", "hall/", "./hall", "there/../hall", "linked", "/whole"])
@pytest.mark.parametrize("sha256", [None, "known"])
def test_a_folder_is_the_same_however_it_is_written(
    place: str, sha256: str | None, old: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its content; reports of before the content was known are told apart by their folders."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hall").mkdir()
    (tmp_path / "linked").symlink_to("hall")
    place = str(tmp_path / "hall") if place == "/whole" else place
    before, after, other = (
        replace(old, samples=replace(old.samples, place=p, sha256=sha256))
        for p in ("hall", place, "other")
    )
    assert compare(before, after)
    if sha256 is None:
        with pytest.raises(UsageError, match="samples were 'hall', are 'other'"):
            compare(before, other)


def test_copies_of_a_folder_are_the_same_samples(
    tmp_path: Path, samples: list[Sample], old: Report
) -> None:
    """What differs in a single pixel is not."""
    folder = tmp_path / "a" / "hall"
    for part, image in (("input", samples[0].fg_bg), ("groundtruth", samples[0].mask)):
        (folder / part).mkdir(parents=True)
        cv2.imwrite(str(folder / part / "1.png"), image)
    cv2.imwrite(str(folder / "bg.png"), samples[0].bg)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    sets = [
        keep_samples(str(tmp_path / p), 9, tmp_path / "kept", lambda stage, done, total: None)
        for p in ("a", "a/", "b")
    ]
    reports = [replace(old, samples=each) for each in sets]
    assert compare(reports[0], reports[1])
    assert compare(reports[0], reports[2])
    changed = samples[0].fg_bg.copy()
    changed[0, 0, 0] ^= 1
    cv2.imwrite(str(tmp_path / "b" / "hall" / "input" / "1.png"), changed)
    after = keep_samples(str(tmp_path / "b"), 9, tmp_path / "kept", lambda stage, done, total: None)
    with pytest.raises(UsageError, match="not comparable: samples were"):
        compare(reports[0], replace(old, samples=after))


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
