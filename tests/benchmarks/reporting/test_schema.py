"""The published schema and the report's types agree."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edge.benchmarks.measuring.bench import Outcome
from edge.benchmarks.reporting.report import Energy, Report, Sensitivity
from edge.benchmarks.reporting.schema import schema
from edge.benchmarks.reporting.write import write_report

FILE = Path(__file__).parents[3] / "docs" / "report.schema.json"


def test_the_published_schema_is_the_generated_one() -> None:
    """If not: python -m edge.benchmarks.reporting.schema > docs/report.schema.json"""
    assert FILE.read_text() == json.dumps(schema(), indent=1) + "\n"


def _full(report: Report) -> Report:
    """The report with keys that this machine has no meter for."""
    layers = Sensitivity({"count": 1, "samples": "s", "target": "openvino"}, {"a": {"iou": 0.1}})
    energy = {"RAPL package-0": Energy(1.0, 2.0)}
    builds = tuple(
        replace(e, energy=energy, power_w=2.0, energy_mj_per_frame=1.0, gpu_mem_peak_mb=3.0)
        for e in report.builds
    )
    return replace(report, builds=builds, sensitivity=layers)


def test_a_report_is_what_its_schema_says(outcome: Outcome, tmp_path: Path) -> None:
    write_report(outcome, tmp_path, "edge bench")
    raw = json.loads((tmp_path / "report.json").read_text())
    for document in (raw, _full(outcome.report).to_json()):
        jsonschema.validate(json.loads(json.dumps(document)), json.loads(FILE.read_text()))
    assert Report.from_json(raw) == outcome.report
    lines = (tmp_path / "samples.jsonl").read_text().splitlines()
    assert len(lines) == len(outcome.frames)


BROKEN = {
    "a key of a build is missing": (("builds", 0, "latency_ms"), None),
    "a key of the watch is missing": (("watch", "mhz"), None),
    "the count is a text": (("samples", "count"), "six"),
    "depth is compared with something else": (("samples", "depth"), "guess"),
    "another schema": (("schema",), "edge.report/2"),
    "an interval of one": (("builds", 0, "latency_ms", "p50_interval"), [1.0]),
}


@pytest.mark.parametrize("case", BROKEN)
def test_schema_and_reader_refuse_the_same(case: str, report: Report) -> None:
    path, value = BROKEN[case]
    raw = json.loads(json.dumps(report.to_json()))
    broken: Any = copy.deepcopy(raw)
    part = broken
    for key in path[:-1]:
        part = part[key]
    if value is None:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema())
    with pytest.raises(ValueError, match=str(path[-1])):
        Report.from_json(broken)


def test_a_key_without_a_value_is_absent(report: Report) -> None:
    builds = tuple(replace(e, energy=None, power_w=None) for e in report.builds)
    raw = replace(report, builds=builds).to_json()
    assert "peers" not in raw and "sensitivity" not in raw
    assert "energy" not in raw["builds"][0] and "power_w" not in raw["builds"][0]
    assert raw["builds"][0]["path"] is None  # null says that the build was made for the run
