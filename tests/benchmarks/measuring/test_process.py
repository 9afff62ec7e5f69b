"""Calls into another process, by the function itself."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge.benchmarks.measuring import process as module
from edge.benchmarks.measuring.build_worker import BuildJob
from edge.benchmarks.measuring.process import process
from edge.benchmarks.measuring.rounds import frames
from edge.benchmarks.measuring.self_test import KnownJob, KnownWorker
from edge.errors import BuildMismatch


def test_methods_and_functions_are_called_on_the_worker() -> None:
    with process(KnownJob(0.1)) as worker:
        assert len(worker.call(KnownWorker.frames, 3).latency) == 3
        assert len(worker.call(frames, count=5).latency) == 5
        waits = [worker.start(frames, count) for count in (1, 2)]
        assert [len(wait().latency) for wait in waits] == [1, 2]
        worker.end()
        assert worker.rss_peak_mb > 1


def test_an_error_for_the_user_travels_with_its_hint(tmp_path: Path) -> None:
    job = BuildJob(tmp_path, True, 1, tmp_path / "samples", tmp_path)
    with pytest.raises(BuildMismatch, match="is not a build") as caught, process(job):
        pass
    assert "edge build" in caught.value.hint


def test_the_last_answer_is_the_memory_in_mib(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux counts it in KiB."""
    held = SimpleNamespace(ru_maxrss=512 * 1024)
    monkeypatch.setattr(module.resource, "getrusage", lambda who: held)
    calls = iter([(lambda worker, by: worker * by, (3,), {}), None])
    told: list[object] = []
    link: Any = SimpleNamespace(send=told.append, recv=lambda: next(calls))
    module._serve(link, SimpleNamespace(open=lambda: 7))  # type: ignore[arg-type]
    assert told == [None, 21, 512.0]
