from __future__ import annotations

import pytest

from edge.calibrate.qdq import SCHEMES
from edge.errors import UsageError
from edge.targets import table as targets


def test_every_row_is_complete() -> None:
    for name, target in targets.TARGETS.items():
        assert name == target.name
        assert target.scheme in SCHEMES
        assert set(target.precisions) <= set(targets.PRECISIONS)
        assert "int8" in target.precisions


def test_auto_is_the_first_that_runs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    assert targets.choose("auto").name == "openvino"
    monkeypatch.setattr(targets, "installed", lambda t: t.name == "onnxruntime")
    assert targets.choose("auto").name == "onnxruntime"
    monkeypatch.setattr(targets, "installed", lambda t: False)
    with pytest.raises(UsageError, match=r"no runtime is installed .* pip install"):
        targets.choose("auto")


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(UsageError, match="unknown target 'tpu'; known: auto, openvino"):
        targets.choose("tpu")
    with pytest.raises(UsageError, match="unknown precision 'int4'"):
        targets.check_precision(targets.TARGETS["openvino"], "int4")
    with pytest.raises(UsageError, match=r"onnxruntime has no bf16 engine.* built by: openvino"):
        targets.check_precision(targets.TARGETS["onnxruntime"], "bf16")
