"""What is said where no bar is shown."""

from __future__ import annotations

import pytest

from edge import progress


def test_without_a_terminal_a_long_step_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def slow() -> list[int]:
        found = []
        for item in progress.track(range(10), 10, "reading yard"):
            found.append(item)
            now[0] += 9
        return found

    assert slow() == list(range(10))
    told = [line for line in capsys.readouterr().err.splitlines() if line]
    assert told == ["reading yard: 4 of 10", "reading yard: 8 of 10"]
