"""Two reports of the same builds: better, worse, or cannot tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge.benchmarks.reporting.table import Entry, folded
from edge.errors import UsageError

SAME = (
    ("machine", "processor"),
    ("machine", "cores"),
    ("machine", "threads"),
    ("samples", "place"),
    ("samples", "count"),
)
"""What two reports must share before their figures may be compared."""
CLOCK = 0.05
"""Relative difference of the highest clock above which two runs are not compared."""


@dataclass(frozen=True)
class Verdict:
    """ratio: p50 of the new run over that of the old one; scores: new minus old."""

    name: str
    ratio: float
    verdict: str
    scores: dict[str, float]


def comparable(old: dict[str, Any], new: dict[str, Any]) -> None:
    """UsageError says why two reports cannot be compared."""
    for part, key in SAME:
        before, after = old[part].get(key), new[part].get(key)
        if before != after:
            raise UsageError(
                f"not comparable: {part} {key} was {before!r}, is {after!r};"
                " measure both in the same place: edge bench OLD_BUILD NEW_BUILD"
            )
    clocks = [report["watch"]["mhz"] for report in (old, new)]
    if None not in clocks and abs(clocks[1][1] / clocks[0][1] - 1) > CLOCK:
        raise UsageError(
            f"not comparable: the clock was {clocks[0][1]:.0f} MHz, is {clocks[1][1]:.0f} MHz"
        )


def compare(old: dict[str, Any], new: dict[str, Any]) -> list[Verdict]:
    """A verdict for every build that is in both reports.

    Better or worse only where the 95 % intervals of the medians do not touch and neither run was
    disturbed.
    """
    comparable(old, new)
    for report in (old, new):
        names = [entry["name"] for entry in folded(report)]
        if twice := [name for name in names if names.count(name) > 1]:
            raise UsageError(f"two builds of one report are named {twice[0]}; measure them apart")
    before = {entry["name"]: entry for entry in folded(old)}
    shared = [entry for entry in folded(new) if entry["name"] in before]
    if not shared:
        lists = [", ".join(entry["name"] for entry in folded(r)) for r in (old, new)]
        raise UsageError(f"no build is in both reports: {lists[0]}; {lists[1]}")
    reasons = [r["watch"]["disturbed"] for r in (old, new) if r["watch"]["disturbed"]]
    return [_verdict(before[entry["name"]], entry, reasons) for entry in shared]


def _verdict(old: Entry, new: Entry, reasons: list[str]) -> Verdict:
    was, now = old["latency_ms"], new["latency_ms"]
    if reasons:
        word = f"cannot tell: {reasons[0]}"
    elif not (was["p50_interval"] and now["p50_interval"]):
        word = "cannot tell: too few frames"
    elif now["p50_interval"][1] < was["p50_interval"][0]:
        word = "better"
    elif now["p50_interval"][0] > was["p50_interval"][1]:
        word = "worse"
    else:
        word = "cannot tell: the intervals of the medians overlap"
    scores = {
        f"{part} {key}": round(new[part][key] - old[part][key], 6)
        for part, key in (("mask", "iou"), ("mask", "f_measure"), ("depth", "delta1"))
        if part in old and part in new
    }
    return Verdict(new["name"], round(now["p50"] / was["p50"], 4), word, scores)
