"""What the tests of benchmarks measure by."""

from __future__ import annotations

import pytest

from edge.benchmarks.measuring.bench import Outcome
from edge.benchmarks.reporting.report import Report


def progress(stage: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="session")
def report(outcome: Outcome) -> Report:
    return outcome.report
