"""Two reports of the same builds: better, worse, or undecided."""

from __future__ import annotations

import os
from dataclasses import dataclass

from edge.benchmarks.reporting.report import BuildEntry, Report, SampleSet
from edge.errors import UsageError

REMEASURE = "measure both builds in one run: edge bench OLD_BUILD NEW_BUILD"
CLOCK = 0.05
"""Relative difference of the highest clock above which two runs are not compared."""


@dataclass(frozen=True)
class Verdict:
    """ratio: p50 of the new run over that of the old one, None without enough frames; scores: new
    minus old."""

    name: str
    ratio: float | None
    verdict: str
    scores: dict[str, float]


def _check_same_samples(old: SampleSet, new: SampleSet) -> None:
    """By their content, wherever they lie and however their folder was written; by their place
    where a report does not know it."""
    if old.sha256 and new.sha256:
        same = old.sha256 == new.sha256
    else:
        same = os.path.realpath(old.place) == os.path.realpath(new.place)
    if same:
        return
    places = f"were {old.place!r}, are {new.place!r}"
    if os.path.realpath(old.place) == os.path.realpath(new.place):
        places = f"of {new.place!r} have changed since the first report"
    raise UsageError(f"not comparable: samples {places}", REMEASURE)


def check_comparable(old: Report, new: Report) -> None:
    """UsageError says why two reports cannot be compared."""
    pairs = {
        "machine processor": (old.machine.processor, new.machine.processor),
        "machine cores": (old.machine.cores, new.machine.cores),
        "machine threads": (old.machine.threads, new.machine.threads),
        "samples count": (old.samples.count, new.samples.count),
    }
    for name, (before, after) in pairs.items():
        if before != after:
            raise UsageError(f"not comparable: {name} was {before!r}, is {after!r}", REMEASURE)
    _check_same_samples(old.samples, new.samples)
    clocks = old.watch.mhz, new.watch.mhz
    if clocks[0] and clocks[1] and abs(clocks[1][1] / clocks[0][1] - 1) > CLOCK:
        raise UsageError(
            f"not comparable: the clock was {clocks[0][1]:.0f} MHz, is {clocks[1][1]:.0f} MHz"
        )


def compare(old: Report, new: Report) -> list[Verdict]:
    """Return a verdict for every build that is in both reports.

    A build is better or worse only where the 95 % intervals of the medians do not overlap and
    neither run was disturbed.

    Raises:
        UsageError: The reports are not of the same machine, samples or builds.
    """
    check_comparable(old, new)
    for report in (old, new):
        names = [entry.name for entry in report.folded]
        if twice := [name for name in names if names.count(name) > 1]:
            raise UsageError(
                f"two builds of one report are named {twice[0]}", "measure them in separate runs"
            )
    before = {entry.name: entry for entry in old.folded}
    shared = [entry for entry in new.folded if entry.name in before]
    if not shared:
        lists = [", ".join(entry.name for entry in report.folded) for report in (old, new)]
        raise UsageError(f"no build is in both reports: {lists[0]}; {lists[1]}")
    disturbed = old.watch.disturbed or new.watch.disturbed
    return [_verdict(before[entry.name], entry, disturbed) for entry in shared]


def _verdict(old: BuildEntry, new: BuildEntry, disturbed: str) -> Verdict:
    was, now = old.latency_ms, new.latency_ms
    if disturbed:
        word = f"undecided: {disturbed}"
    elif was.p50_interval is None or now.p50_interval is None:
        word = "undecided: too few frames"
    elif now.p50_interval[1] < was.p50_interval[0]:
        word = "better"
    elif now.p50_interval[0] > was.p50_interval[1]:
        word = "worse"
    else:
        word = "undecided: the intervals of the medians overlap"
    ratio = round(now.p50 / was.p50, 4) if now.p50 and was.p50 else None
    before, after = _scores(old), _scores(new)
    scores = {key: round(after[key] - before[key], 6) for key in after if key in before}
    return Verdict(new.name, ratio, word, scores)


def _scores(entry: BuildEntry) -> dict[str, float]:
    """The scores that are compared, those that exist."""
    scores = {
        "mask iou": entry.mask.iou if entry.mask else None,
        "mask f_measure": entry.mask.f_measure if entry.mask else None,
        "depth delta1": entry.depth.delta1 if entry.depth else None,
    }
    return {key: value for key, value in scores.items() if value is not None}
