"""What is measured of which build, without a process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.benchmarks.measuring.build_worker import BuildJob
from edge.benchmarks.measuring.runs import COMPUTE_FRAMES, OVERHEAD_FRAMES, BuildRun
from edge.benchmarks.measuring.stats import ENOUGH


class Process:
    """Notes what it is asked."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    def call(self, function: Callable[..., Any], *given: Any, **named: Any) -> None:
        self.asked[function.__name__] = (*given, *named.values())


def asked(name: str, fold: bool, precise: bool = False) -> dict[str, Any]:
    job = BuildJob(Path("a"), fold, 1, Path("s"), Path("d"))
    process: Any = Process()
    run = BuildRun(process, job, name, "net-fp32", made=False)
    assert run.timed.most == (None if fold else ENOUGH["p90"])
    run.measure_accuracy()
    run.measure_after_rounds(precise)
    return process.asked


@pytest.mark.parametrize(
    ("name", "fold", "reference"),
    [("net-fp32", True, True), ("net-int8", True, False), ("net-fp32", False, False)],
)
def test_the_folded_fp32_alone_is_what_others_are_compared_with(
    name: str, fold: bool, reference: bool
) -> None:
    assert asked(name, fold)["accuracy"] == (reference,)


def test_without_folding_a_build_is_there_for_its_speed_alone() -> None:
    folded, unfolded = asked("net-int8", True), asked("net-int8", False)
    assert folded.keys() - unfolded.keys() == {"flicker", "overhead", "stages"}
    assert folded["overhead"] == (COMPUTE_FRAMES,)
    assert asked("net-int8", True, precise=True)["overhead"] == (OVERHEAD_FRAMES,)
