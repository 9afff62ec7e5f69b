"""What commands of ours wrote and read again: reports, sensitivity, what data sets state."""

from __future__ import annotations

import json
import types
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given

from edge.benchmarks.ledger import Ledger
from edge.benchmarks.reporting.codec import encode, optional
from edge.benchmarks.reporting.report import Report, Sensitivity
from edge.cli.bench import _read_sensitivity
from edge.cli.compare import _read_report
from edge.cli.sensitivity import _read_results
from edge.samples.depth_maps import read_meaning
from edge.samples.rgbd import _meaning as read_rgbd_meaning

from .examples import examples, outcome
from .mutations import json_files


def example_of(kind: Any) -> Any:
    """A value of a type: of a dataclass all fields, of a union what is not None."""
    if (inner := optional(kind)) is not None:
        return example_of(inner)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{field.name: example_of(hints[field.name]) for field in fields(kind)})
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return arguments[0]
    if origin is dict:
        return {"key": example_of(arguments[1])}
    if origin is tuple:
        return tuple(example_of(each) for each in arguments if each is not ...)
    if origin is types.UnionType:
        return example_of(arguments[0])
    return {float: 1.5, int: 3, str: "text", bool: True, Any: "any"}[kind]


REPORT = encode(example_of(Report))
SENSITIVITY = {
    "key": {"network": "ab" * 32, "metric": "iou"},
    "drops": {"conv_1": {"iou": 0.01, "delta1": 0.0}, "conv_2": {"iou": -0.002}},
}
POINT = {"key": {"machine": "x"}, "point": {"rung": 1}}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "file.json"


def test_what_is_mutated_is_good(file: Path) -> None:
    file.write_text(json.dumps(REPORT))
    assert encode(_read_report(file)) == REPORT
    file.write_text(json.dumps(SENSITIVITY))
    assert len(_read_results(file, dict(SENSITIVITY["key"]))) == 2


@given(data=json_files(REPORT))
@examples(share=60, night=5_000)
def test_a_report(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    report = outcome(lambda: _read_report(file))
    if report is not None:
        assert Report.from_json(json.loads(json.dumps(report.to_json()))).builds is not None
        assert report.machine.cores == int(report.machine.cores)


@given(data=json_files(SENSITIVITY))
@examples(share=60, night=3_000)
def test_a_result_of_sensitivity(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    found = outcome(lambda: _read_sensitivity(file))
    if found is not None:
        assert isinstance(found, Sensitivity)
        for drops in found.drops.values():
            assert all(type(value) is float for value in drops.values())


@given(data=json_files(SENSITIVITY))
@examples(share=60, night=2_000)
def test_sensitivity_that_is_continued(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    drops = outcome(lambda: _read_results(file, dict(SENSITIVITY["key"])))
    for layer in (drops or {}).values():
        assert all(type(value) is float for value in layer.values())


@given(data=json_files(POINT))
@examples(share=40, night=1_000)
def test_a_ledger_passes_over_what_is_no_point(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    assert Ledger(file, {"machine": "x"}).points == {}


@given(data=json_files({"depth": "millimetres", "invalid": 0}, {"near": "dark", "invalid": 255}))
@examples(share=80, night=4_000)
def test_what_depth_maps_mean(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    outcome(lambda: read_meaning(file, file.parent))


@given(data=json_files({"depth_unit": "mm", "invalid": 0}))
@examples(share=80, night=3_000)
def test_what_rgbd_means(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    outcome(lambda: read_rgbd_meaning(file))
