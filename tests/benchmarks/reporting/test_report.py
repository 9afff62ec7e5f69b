"""A report is a value: it is read as it was written, and nothing changes it."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from typing import Any

import pytest

from edge.benchmarks.reporting.compare import compare
from edge.benchmarks.reporting.report import FrameRecord, Report, Sensitivity
from edge.errors import UsageError

from .by_hand import BUILDS, FP32, INT8, PEER, REPORT, latency

WHOLE = replace(REPORT, peers=(PEER,), sensitivity=Sensitivity({}, {"a": {"iou": 0.1}}))


def parts(value: Any) -> list[Any]:
    """A dataclass and all in it."""
    if isinstance(value, tuple):
        return [each for item in value for each in parts(item)]
    if not is_dataclass(value):
        return []
    return [value, *(each for f in fields(value) for each in parts(getattr(value, f.name)))]


def test_nothing_of_it_can_be_changed() -> None:
    for part in [*parts(WHOLE), FrameRecord("a", None, None, 0, 1.0, 1.0)]:
        name = fields(part)[0].name
        with pytest.raises(FrozenInstanceError):
            setattr(part, name, getattr(part, name))


def test_it_is_read_as_it_was_written() -> None:
    raw = json.loads(json.dumps(WHOLE.to_json()))
    assert Report.from_json(raw) == WHOLE
    assert [WHOLE.reference_of(entry) for entry in WHOLE.folded] == [BUILDS[0], BUILDS[0]]


@pytest.mark.parametrize("mhz", [[], [2000.0], [1.0, 2.0, 3.0]])
def test_an_array_of_another_length_is_named(mhz: list[float]) -> None:
    raw = json.loads(json.dumps(WHOLE.to_json()))
    raw["watch"]["mhz"] = mhz
    with pytest.raises(ValueError, match=r"watch.mhz is \[.*\], expected an array of 2"):
        Report.from_json(raw)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.5, 0.94, "better"), (0.9, 0.96, "undecided"), (1.06, 2, "worse")],
)
def test_only_intervals_that_do_not_meet_decide(low: float, high: float, verdict: str) -> None:
    def of(interval: tuple[float, float]) -> Report:
        times = replace(latency(1.0), p50_interval=interval)
        return replace(REPORT, builds=tuple(replace(e, latency_ms=times) for e in BUILDS))

    assert {v.verdict.split(":")[0] for v in compare(of((0.95, 1.05)), of((low, high)))} == {
        verdict
    }


@pytest.mark.parametrize(("before", "after"), [("hall", "yard"), ("yard", "hall")])
def test_samples_of_another_folder_are_others(before: str, after: str) -> None:
    """Of reports that do not know the samples' content."""
    old, new = (
        replace(REPORT, samples=replace(REPORT.samples, place=place, sha256=None))
        for place in (before, after)
    )
    with pytest.raises(UsageError, match=f"samples were '{before}', are '{after}'"):
        compare(old, new)


def test_the_builds_of_both_are_listed_where_none_is_in_both() -> None:
    other = replace(REPORT, builds=tuple(replace(e, name=f"{e.name}-2") for e in BUILDS))
    other = replace(
        other, builds=tuple(replace(e, reference=f"{e.reference}-2") for e in other.builds)
    )
    with pytest.raises(UsageError) as caught:
        compare(REPORT, other)
    text = str(caught.value)
    assert text.index(INT8) < text.index(f"{INT8}-2")


def test_the_first_name_that_two_builds_have_is_named() -> None:
    for again, name in ((BUILDS[1:2], INT8), (BUILDS[:2], FP32)):
        twice = replace(REPORT, builds=(*BUILDS, *again))
        with pytest.raises(UsageError, match=f"two builds of one report are named {name}"):
            compare(REPORT, twice)
