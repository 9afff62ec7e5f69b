"""Counts the inputs of every test, in whatever process it runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .examples import NIGHT, TALLY


@pytest.fixture(autouse=True)
def _counted(record_property: Any) -> Iterator[None]:
    inputs, refused = TALLY.inputs, TALLY.refused
    yield
    record_property("inputs", TALLY.inputs - inputs)
    record_property("refused", TALLY.refused - refused)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what each test tried, after a night."""
    if not NIGHT:
        return
    total = 0
    for reports in list(terminalreporter.stats.values()):
        for report in reports:
            counts = dict(getattr(report, "user_properties", []))
            if getattr(report, "when", "") == "teardown" and "inputs" in counts:
                total += counts["inputs"]
                name = report.nodeid.rpartition("/")[2]
                terminalreporter.write_line(
                    f"{counts['inputs']:>7} inputs, {counts['refused']:>7} refused: {name}"
                )
    terminalreporter.write_line(f"{total:>7} inputs in all")
