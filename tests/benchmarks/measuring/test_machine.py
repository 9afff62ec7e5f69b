"""Which machine a figure belongs to."""

from __future__ import annotations

import pytest

from edge.benchmarks.measuring import machine as module


def test_a_processor_without_a_name_is_called_by_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(path: object) -> str:
        raise OSError

    monkeypatch.setattr(module.Path, "read_text", unreadable)
    monkeypatch.setattr(module.platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(module.platform, "processor", lambda: "")
    assert module._processor() == "aarch64"
    monkeypatch.setattr(module.platform, "processor", lambda: "a name")
    assert module._processor() == "a name"
    monkeypatch.setattr(module.Path, "read_text", lambda path: "flags: x\nmodel name\t: Fast 1\n")
    assert module._processor() == "Fast 1"


def test_libraries_that_are_not_installed_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIBRARIES", ("numpy", "no-such-library"))
    described = module.machine(threads=3)
    assert list(described.libraries) == ["numpy"]
    assert described.threads == 3
    assert module.machine().threads == module.machine().cores
