from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edge.benchmarks.measuring.run import Outcome
from edge.benchmarks.reporting.compare import compare
from edge.benchmarks.reporting.table import folded
from edge.errors import UsageError

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "report.schema.json").read_text())


def test_a_report_is_what_its_schema_says(outcome: Outcome) -> None:
    jsonschema.validate(outcome.report, SCHEMA)
    for part, key in (("builds", "latency_ms"), ("watch", "mhz"), ("samples", "count")):
        broken = copy.deepcopy(outcome.report)
        del (broken[part][0] if part == "builds" else broken[part])[key]
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, SCHEMA)


@pytest.fixture
def old(outcome: Outcome) -> dict[str, Any]:
    """The report as if nobody had disturbed it, with known medians."""
    report = copy.deepcopy(outcome.report)
    report["watch"] |= {"disturbed": "", "mhz": [2000, 2000]}
    for entry in report["builds"]:
        entry["latency_ms"] |= {"p50": 1.0, "p50_interval": [0.95, 1.05]}
    return report


def faster(report: dict[str, Any], factor: float) -> dict[str, Any]:
    new = copy.deepcopy(report)
    for entry in new["builds"]:
        times = entry["latency_ms"]
        times["p50"] *= factor
        times["p50_interval"] = [factor * side for side in times["p50_interval"]]
    return new


@pytest.mark.parametrize(
    ("factor", "word"), [(0.8, "better"), (1.2, "worse"), (1.04, "cannot tell: the intervals")]
)
def test_verdicts(factor: float, word: str, old: dict[str, Any]) -> None:
    found = compare(old, faster(old, factor))
    assert [v.name for v in found] == [entry["name"] for entry in folded(old)]
    assert all(v.verdict.startswith(word) for v in found)
    assert all(v.ratio == pytest.approx(factor) for v in found)
    assert all(change == 0 for v in found for change in v.scores.values())


def test_a_disturbed_run_tells_nothing(old: dict[str, Any]) -> None:
    new = faster(old, 0.5)
    new["watch"]["disturbed"] = "other processes took 40 % of the machine"
    assert all(v.verdict.startswith("cannot tell: other") for v in compare(old, new))


@pytest.mark.parametrize(
    ("part", "key", "value", "words"),
    [
        ("machine", "processor", "another", "processor was .* is 'another'"),
        ("machine", "threads", 7, "threads was 1, is 7"),
        ("samples", "place", "hall/", "place was 'rendered:6:4', is 'hall/'"),
        ("watch", "mhz", [1000, 3000], "the clock was 2000 MHz, is 3000 MHz"),
    ],
)
def test_what_differs_is_not_compared(
    part: str, key: str, value: object, words: str, old: dict[str, Any]
) -> None:
    new = copy.deepcopy(old)
    new[part][key] = value
    with pytest.raises(UsageError, match=words):
        compare(old, new)


def test_no_build_in_both(old: dict[str, Any]) -> None:
    new = copy.deepcopy(old)
    for entry in new["builds"]:
        entry["name"] += "-other"
    with pytest.raises(UsageError, match="no build is in both reports"):
        compare(old, new)


def test_the_command(old: dict[str, Any], tmp_path: Path) -> None:
    def edge(*words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "edge", "compare", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    a, b = tmp_path / "a.json", tmp_path / "b.json"
    a.write_text(json.dumps(old))
    b.write_text(json.dumps(faster(old, 0.5)))
    done = edge(a, b)
    assert done.returncode == 0, done.stderr
    assert "0.500x the time: better; mask iou +0.0000" in done.stdout
    b.write_text("{}")
    assert edge(a, b).returncode == 2
    b.write_text(json.dumps(old | {"schema": "edge.report/1"}))
    assert "of schema 'edge.report/1', expected" in edge(a, b).stderr
