from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from benchmarks.machine import gpu


class NVMLError(Exception):
    pass


def test_the_gpu_is_named_where_its_driver_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise NVMLError("Driver Not Loaded")

    library = SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByIndex=lambda number: number,
        nvmlDeviceGetName=lambda handle: ["NVIDIA H100 80GB HBM3", "another"][handle],
    )
    monkeypatch.setitem(sys.modules, "pynvml", library)
    assert gpu() == "NVIDIA H100 80GB HBM3"
    library.nvmlInit = fails
    assert gpu() is None
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert gpu() is None
