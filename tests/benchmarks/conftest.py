"""One benchmark of two builds, measured once for all tests that look at it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge.benchmarks.measuring.bench import Outcome, Settings, bench
from edge.benchmarks.reporting.report import Report

SETTINGS = Settings("rendered:6:4", 6, threads=1, warmup=0.0, duration=0.0, iterations=70)


def progress(stage: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="session")
def outcome(builds: Callable[[str, str], Path]) -> Outcome:
    return bench([builds("openvino", "int8"), builds("onnxruntime", "int8")], SETTINGS, progress)


@pytest.fixture(scope="session")
def report(outcome: Outcome) -> Report:
    return outcome.report
