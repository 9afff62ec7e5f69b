"""What is measured of which build, without a process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge.benchmarks.measuring import runs as module
from edge.benchmarks.measuring.build_worker import BuildJob
from edge.benchmarks.measuring.runs import COMPUTE_FRAMES, OVERHEAD_FRAMES, BuildRun, open_builds
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


@pytest.mark.parametrize(("scene", "folds"), [(True, [True, False]), (False, [True])])
def test_builds_of_one_fp32_share_its_depths(
    scene: bool, folds: list[bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[BuildJob] = []

    def process(job: BuildJob) -> Any:
        opened.append(job)
        return nullcontext(Process())

    one, two, given = tmp_path / "a" / "fp32", tmp_path / "b" / "fp32", Path("given")
    names = {one: "a-fp32", given: "a-int8", two: "b-fp32"}
    monkeypatch.setattr(module, "process", process)
    monkeypatch.setattr(module, "display_names", lambda pairs, given: names)
    monkeypatch.setattr(module.manifests, "read", lambda path: SimpleNamespace(scene=scene))
    pairs = [(one, one), (given, one), (two, two)]
    with ExitStack() as stack:
        runs = open_builds(pairs, [given], 2, "auto", tmp_path, Path("s"), stack)
    assert [job.fold for job in opened] == 3 * folds
    shared = {str(job.depths.relative_to(tmp_path)) for job in opened}
    assert shared == {"depths/0", "depths/2"} and all(job.depths.is_dir() for job in opened)
    assert {run.name for run in runs if run.made} == {"a-fp32", "b-fp32"}
    assert {run.name for run in runs if run.is_reference} == {"a-fp32", "b-fp32"}
