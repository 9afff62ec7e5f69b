from __future__ import annotations

from typing import Any

import pytest

from edge.benchmarks.measuring import self_test as selftest
from edge.benchmarks.measuring.rounds import Timed

from .clock import Clock


def test_known_work_takes_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a machine adds on top is what the self-test is there to show; this one adds nothing."""
    monkeypatch.setattr(selftest, "time", Clock(step=1e-5))
    times = selftest.KnownWorker(3.0).frames(5).latency
    assert times == [pytest.approx(3.0, abs=0.05)] * 5
    assert min(times) >= 3.0


def test_the_self_test_reports_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def rounds(timed: list[Timed], *_: Any) -> int:
        for entry, value in zip(timed, (0.5, 5.5), strict=True):
            entry.times.latency = [value] * 200
        return 1

    monkeypatch.setattr(selftest, "interleaved_rounds", rounds)
    exact, wrong = selftest.self_test()
    assert exact.error == 0
    assert wrong.error == pytest.approx(0.1)
    assert abs(wrong.error) > selftest.ALLOWED
